// A driver without a device, for tests of the code that calls one. Device memory is the host's. What a stream is asked to do
// is put off until someone waits for it, so that memory which is reused too early shows. Kernels are not run; graphs and
// launches are written to standard output. FAKE_VERSION, FAKE_INIT, FAKE_DEVICES, FAKE_CAPABILITY and FAKE_MEMORY say what
// machine this is.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long u64;
enum { SUCCESS, INVALID_VALUE, OUT_OF_MEMORY };

static int number(const char* name, int usual) {
  const char* value = getenv(name);
  return value ? atoi(value) : usual;
}

// Beginning.

/// In order with what the test itself prints.
__attribute__((constructor)) static void unbuffered(void) { setvbuf(stdout, NULL, _IONBF, 0); }

int cuDriverGetVersion(int* version) { return *version = number("FAKE_VERSION", 13000), SUCCESS; }
int cuInit(unsigned flags) { return number("FAKE_INIT", SUCCESS); }
int cuGetErrorName(int error, const char** text) { return *text = error == 100 ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR", SUCCESS; }
int cuGetErrorString(int error, const char** text) { return *text = "an explanation", SUCCESS; }
int cuDeviceGetCount(int* count) { return *count = number("FAKE_DEVICES", 1), SUCCESS; }
int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, SUCCESS; }
int cuDeviceGetName(char* name, int bytes, int device) { return snprintf(name, bytes, "Fake GPU %d", device), SUCCESS; }
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  int capability = number("FAKE_CAPABILITY", 90);
  switch (attribute) {
    case 75: *value = capability / 10; return SUCCESS;
    case 76: *value = capability % 10; return SUCCESS;
    case 97: *value = 100 * 1024; return SUCCESS;
  }
  return INVALID_VALUE;
}
int cuDevicePrimaryCtxRetain(void** context, int device) { return *context = (void*)1, SUCCESS; }
int cuCtxSetCurrent(void* context) { return SUCCESS; }

// Streams: a queue of what is still to do.

struct Op {
  enum { COPY, EVENT, FILL } kind;
  char* to;
  const char* from;
  size_t count;
  unsigned word;
  long event;
} queue[10000];
static int head, tail;

static void run(long until) {
  for (; head < tail; head++) {
    struct Op* op = &queue[head];
    if (op->kind == COPY) memcpy(op->to, op->from, op->count);
    if (op->kind == FILL)
      for (size_t i = 0; i < op->count; i++) ((unsigned*)op->to)[i] = op->word;
    if (op->kind == EVENT && op->event == until) {
      head++;
      return;
    }
  }
  head = tail = 0;
}
static int push(struct Op op) { return tail == 10000 ? INVALID_VALUE : (queue[tail++] = op, SUCCESS); }

int cuStreamCreate(void** stream, unsigned flags) { return *stream = (void*)2, SUCCESS; }
int cuStreamSynchronize(void* stream) { return run(-1), SUCCESS; }
static long events;
int cuEventCreate(void** event, unsigned flags) { return *event = (void*)++events, SUCCESS; }
int cuEventDestroy_v2(void* event) { return SUCCESS; }
int cuEventRecord(void* event, void* stream) { return push((struct Op){EVENT, .event = (long)event}); }
int cuEventSynchronize(void* event) { return run((long)event), SUCCESS; }
int cuEventElapsedTime(float* ms, void* start, void* end) { return *ms = 1.5f, SUCCESS; }

// Memory.

static size_t free_bytes(void) { return (size_t)number("FAKE_MEMORY", 256) << 20; }
int cuMemGetInfo_v2(size_t* free, size_t* total) { return *free = free_bytes(), *total = free_bytes(), SUCCESS; }
int cuMemAlloc_v2(u64* at, size_t bytes) {
  if (bytes > free_bytes()) return OUT_OF_MEMORY;
  printf("allocate %zu\n", bytes);
  return *at = (u64)aligned_alloc(256, (bytes + 255) / 256 * 256), SUCCESS;
}
int cuMemFree_v2(u64 at) { return free((void*)at), SUCCESS; }
int cuMemHostAlloc(void** at, size_t bytes, unsigned flags) {
  printf("pinned %zu\n", bytes);
  return *at = malloc(bytes), SUCCESS;
}
int cuMemFreeHost(void* at) { return free(at), SUCCESS; }
int cuMemcpyHtoDAsync_v2(u64 to, const void* from, size_t bytes, void* stream) {
  return push((struct Op){COPY, (char*)to, from, bytes});
}
int cuMemcpyDtoHAsync_v2(void* to, u64 from, size_t bytes, void* stream) {
  return push((struct Op){COPY, to, (const char*)from, bytes});
}
int cuMemsetD32Async(u64 at, unsigned word, size_t count, void* stream) {
  return push((struct Op){FILL, (char*)at, .count = count, .word = word});
}

// Kernels: a function is its name.

int cuModuleLoadData(void** module, const void* image) {
  return *module = (void*)image, memcmp(image, "\177ELF", 4) ? INVALID_VALUE : SUCCESS;
}
int cuModuleGetFunction(void** function, void* module, const char* name) {
  printf("load %s\n", name);
  return *function = strdup(name), SUCCESS;
}
int cuFuncGetAttribute(int* value, int attribute, void* function) { return *value = 1024, SUCCESS; }
int cuFuncSetAttribute(void* function, int attribute, int value) {
  return printf("attribute %d of %s: %d\n", attribute, (char*)function, value), SUCCESS;
}

// Graphs: a node is its number, from 1.

struct Kernel {
  char* function;
  unsigned grid[3], block[3], shared;
  void** parameters;
};
struct Edge {
  unsigned char from, to, type, reserved[5];
};
struct NodeParams {
  int type, reserved[3];
  struct Kernel kernel;
};
static long nodes;

static int node(void** node, void* const* after, const struct Edge* edges, size_t count, const struct Kernel* kernel) {
  printf("node %ld %s grid %u %u %u block %u %u %u shared %u after", nodes, kernel->function, kernel->grid[0],
         kernel->grid[1], kernel->grid[2], kernel->block[0], kernel->block[1], kernel->block[2], kernel->shared);
  for (size_t i = 0; i < count; i++) {
    printf(" %ld", (long)after[i] - 1);
    if (edges) printf(" (port %d to %d, type %d)", edges[i].from, edges[i].to, edges[i].type);
  }
  // One argument and one part: four words of 64 bits.
  const u64* words = kernel->parameters[0];
  printf(" parameters %llx %llx %llx %llx\n", words[0], words[1], words[2], words[3]);
  return *node = (void*)++nodes, SUCCESS;
}
int cuGraphCreate(void** graph, unsigned flags) { return nodes = 0, *graph = (void*)3, SUCCESS; }
int cuGraphAddKernelNode_v2(void** out, void* graph, void* const* after, size_t count, const struct Kernel* kernel) {
  return node(out, after, NULL, count, kernel);
}
int cuGraphAddNode_v2(void** out, void* graph, void* const* after, const struct Edge* edges, size_t count,
                      const struct NodeParams* parameters) {
  return parameters->type ? INVALID_VALUE : node(out, after, edges, count, &parameters->kernel);
}
int cuGraphInstantiateWithFlags(void** exec, void* graph, u64 flags) {
  return *exec = (void*)nodes, printf("graph of %ld\n", nodes), SUCCESS;
}
int cuGraphDestroy(void* graph) { return SUCCESS; }
int cuGraphLaunch(void* exec, void* stream) { return printf("launch %ld\n", (long)exec), SUCCESS; }
int cuGraphExecDestroy(void* exec) { return printf("drop %ld\n", (long)exec), SUCCESS; }
