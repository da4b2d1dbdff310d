//! Graphs of kernels, built node by node.
//!
//! # Programmatic dependent launch
//!
//! A programmatic edge lets the blocks of a kernel start while its predecessor still runs, which hides the time of a launch.
//! Why that is sound:
//!
//! 1. Every kernel is made by `KILN_KERNEL`, whose first statements, in every thread, are `griddepcontrol.launch_dependents`
//!    and `griddepcontrol.wait`; there is no path around them. Nothing is read or written before the wait.
//! 2. The wait returns when all grids that this one depends on by programmatic edges are complete, all their blocks have
//!    exited and their writes are visible. (Complete, not merely "have triggered": a trigger only allows the start.)
//! 3. Hence a grid B completes only after its predecessor A is complete: B's threads exit behind their wait. By induction,
//!    when the wait of C in a chain A → B → C returns, A is complete too, whether the edges before were full or programmatic.
//!    Dependencies that the plan leaves out because a path implies them stay implied.
//! 4. Writes after reads are dependencies like any other: the writer writes behind its wait, when the reader is complete.
//! 5. Blocks that wait cannot keep their predecessor from running: dependents are started when *all* blocks of the
//!    predecessor have started (each has triggered), so it needs no room that they could take.
//! 6. A kernel without programmatic edges into it has a wait that returns at once, behind full edges that already hold.
//! 7. A graph starts when earlier work of the stream is complete; no programmatic edge leads out of a graph.
//!
//! Points 2 and 5 are documented for one edge between two kernels. What several programmatic edges into one node, or out of
//! one node, or a mixture of kinds, mean in a graph is documented less clearly and can only be tried on a GPU: an edge is
//! programmatic only where a node has exactly one predecessor and is that predecessor's only successor. Chains are what small
//! networks mostly consist of.

use super::{Kernel, Node};
use cudarc::driver::result::DriverError;
use cudarc::driver::sys::{self, CUgraphNodeType_enum as NodeType};
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr;

/// What a node waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// Earlier nodes, each once.
    pub after: Vec<usize>,
    /// Whether the only edge is programmatic.
    pub programmatic: bool,
}

/// The edges into each node.
///
/// # Errors
/// A text, where a node waits for itself or a later one.
pub fn edges(nodes: &[Node], programmatic: bool) -> Result<Vec<Edges>, String> {
    let mut successors = vec![0usize; nodes.len()];
    let mut all = Vec::with_capacity(nodes.len());
    for (number, node) in nodes.iter().enumerate() {
        let after: Vec<usize> = node.after.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if let Some(late) = after.iter().find(|earlier| **earlier >= number) {
            return Err(format!("`{}` is node {number} and waits for node {late}, which is not before it", node.name));
        }
        after.iter().for_each(|earlier| successors[*earlier] += 1);
        all.push(Edges { after, programmatic: false });
    }
    if programmatic {
        for edges in &mut all {
            edges.programmatic = matches!(edges.after[..], [only] if successors[only] == 1);
        }
    }
    Ok(all)
}

/// A kernel with all that its launch needs.
pub struct Launch {
    kernel: Kernel,
    blocks: u32,
    /// The bytes of `KilnLaunch`, in units of its alignment.
    parameters: Vec<u64>,
}

impl Launch {
    /// # Errors
    /// A text, where a number does not fit.
    pub fn of(node: &Node, kernel: Kernel, most_blocks: usize) -> Result<Launch, String> {
        let batch = u32::try_from(node.batch)
            .map_err(|_| format!("`{}`: a batch of {} is too large", node.name, node.batch))?;
        let mut first = vec![0u32];
        for part in &node.parts {
            // At most `most_blocks`, which is far below 2³².
            let blocks = (*part).clamp(1, most_blocks) as u32;
            let end = first[first.len() - 1].checked_add(blocks);
            first.push(end.ok_or_else(|| format!("`{}` has too many parts: {}", node.name, node.parts.len()))?);
        }
        let blocks = first[first.len() - 1];
        if blocks == 0 {
            return Err(format!("`{}` has no part", node.name));
        }
        Ok(Launch { kernel, blocks, parameters: parameters(node, batch, &first) })
    }
}

/// `KilnLaunch` of launch.cuh: pointers, the address of `KilnRun`, then 32-bit words: batch and the first block of each part.
fn parameters(node: &Node, batch: u32, first: &[u32]) -> Vec<u64> {
    let mut quads: Vec<u64> = node.args.iter().copied().chain([node.run]).collect();
    let words: Vec<u32> = [batch].iter().chain(first).copied().collect();
    // CUDA's machines are little endian: the first word is the lower half.
    quads.extend(words.chunks(2).map(|pair| u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 32));
    quads
}

/// A graph that can be launched.
pub struct Exec(sys::CUgraphExec);

impl Exec {
    /// # Safety
    /// The kernels are loaded in the current context, and their parameters are what they expect.
    ///
    /// # Errors
    /// The driver's, and at which node.
    pub unsafe fn of(launches: &[Launch], edges: &[Edges]) -> Result<Exec, (Option<usize>, DriverError)> {
        let mut graph = ptr::null_mut();
        // SAFETY: the pointer is valid.
        unsafe { sys::cuGraphCreate(&mut graph, 0) }.result().map_err(|e| (None, e))?;
        let mut nodes = Vec::with_capacity(launches.len());
        let mut build = || {
            for (number, (launch, edges)) in launches.iter().zip(edges).enumerate() {
                let after: Vec<sys::CUgraphNode> = edges.after.iter().map(|earlier| nodes[*earlier]).collect();
                // SAFETY: the graph lives, and so do its nodes; the caller's promise for the kernel.
                nodes.push(unsafe { add(graph, launch, &after, edges.programmatic) }.map_err(|e| (Some(number), e))?);
            }
            let mut exec = ptr::null_mut();
            // SAFETY: the graph is whole, and the pointer valid.
            unsafe { sys::cuGraphInstantiateWithFlags(&mut exec, graph, 0) }.result().map_err(|e| (None, e))?;
            Ok(Exec(exec))
        };
        let exec = build();
        // SAFETY: what was instantiated does not need it.
        let _ = unsafe { sys::cuGraphDestroy(graph) };
        exec
    }

    /// # Safety
    /// All that its kernels touch is there.
    pub unsafe fn launch(&self, stream: sys::CUstream) -> Result<(), DriverError> {
        // SAFETY: our caller vouches for all that the kernels touch; `self` is a graph until it is dropped.
        unsafe { sys::cuGraphLaunch(self.0, stream) }.result()
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        // SAFETY: it is no one else's. The driver frees it when launches under way are complete.
        let _ = unsafe { sys::cuGraphExecDestroy(self.0) };
    }
}

/// # Safety
/// As for [`Exec::of`]; `after` are nodes of the graph.
unsafe fn add(
    graph: sys::CUgraph,
    launch: &Launch,
    after: &[sys::CUgraphNode],
    programmatic: bool,
) -> Result<sys::CUgraphNode, DriverError> {
    // The driver copies parameters while the node is added.
    let mut argument: [*mut c_void; 1] = [launch.parameters.as_ptr().cast_mut().cast()];
    let mut node = ptr::null_mut();
    if !programmatic {
        let parameters = sys::CUDA_KERNEL_NODE_PARAMS {
            func: launch.kernel.function,
            gridDimX: launch.blocks,
            gridDimY: 1,
            gridDimZ: 1,
            blockDimX: launch.kernel.threads as u32,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: launch.kernel.shared as u32,
            kernelParams: argument.as_mut_ptr(),
            extra: ptr::null_mut(),
            kern: ptr::null_mut(),
            ctx: ptr::null_mut(),
        };
        // SAFETY: graph and nodes live, by our caller's word, and `parameters` until the call returns, by when the
        // driver has copied them.
        unsafe { sys::cuGraphAddKernelNode_v2(&mut node, graph, after.as_ptr(), after.len(), &parameters) }.result()?;
        return Ok(node);
    }
    let kernel = sys::CUDA_KERNEL_NODE_PARAMS_v3 {
        func: launch.kernel.function,
        gridDimX: launch.blocks,
        gridDimY: 1,
        gridDimZ: 1,
        blockDimX: launch.kernel.threads as u32,
        blockDimY: 1,
        blockDimZ: 1,
        sharedMemBytes: launch.kernel.shared as u32,
        kernelParams: argument.as_mut_ptr(),
        extra: ptr::null_mut(),
        kern: ptr::null_mut(),
        ctx: ptr::null_mut(),
    };
    let data = vec![
        sys::CUgraphEdgeData {
            from_port: sys::CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC as u8,
            to_port: 0,
            type_: sys::CUgraphDependencyType_enum::CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC as u8,
            reserved: [0; 5],
        };
        after.len()
    ];
    // Unused members must be zero; all are numbers and pointers.
    // SAFETY: zero is a value of each member (`type_` is set next).
    let mut parameters: sys::CUgraphNodeParams = unsafe { std::mem::zeroed() };
    parameters.type_ = NodeType::CU_GRAPH_NODE_TYPE_KERNEL;
    parameters.__bindgen_anon_1.kernel = kernel;
    // SAFETY: as above, and there are as many edge data as edges.
    unsafe {
        sys::cuGraphAddNode_v2(&mut node, graph, after.as_ptr(), data.as_ptr(), after.len(), &mut parameters)
            .result()?;
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cuda::KernelId;

    fn node(after: &[usize]) -> Node {
        Node {
            kernel: KernelId(0),
            name: "k0_test".to_owned(),
            parts: vec![1],
            args: Vec::new(),
            run: 0,
            batch: 1,
            regions: Vec::new(),
            after: after.to_vec(),
        }
    }

    fn programmatic(after: &[&[usize]]) -> Vec<bool> {
        let nodes: Vec<Node> = after.iter().map(|after| node(after)).collect();
        let found: Vec<Edges> = edges(&nodes, true).unwrap();
        assert!(edges(&nodes, false).unwrap().iter().all(|edges| !edges.programmatic));
        found.iter().map(|edges| edges.programmatic).collect()
    }

    #[test]
    fn only_chains_are_programmatic() {
        assert_eq!(programmatic(&[&[], &[0], &[1]]), [false, true, true]);
        // A fork: two successors of one node.
        assert_eq!(programmatic(&[&[], &[0], &[0], &[1]]), [false, false, false, true]);
        // A join: two predecessors of one node; behind it a chain again.
        assert_eq!(programmatic(&[&[], &[], &[0, 1], &[2]]), [false, false, false, true]);
        // The second edge is implied by the first and still counts.
        assert_eq!(programmatic(&[&[], &[0], &[1, 0]]), [false, false, false]);
        // Said twice, it is one edge.
        assert_eq!(programmatic(&[&[], &[0, 0]]), [false, true]);
    }

    #[test]
    fn edges_lead_forward() {
        let text = edges(&[node(&[]), node(&[1])], true).unwrap_err();
        assert_eq!(text, "`k0_test` is node 1 and waits for node 1, which is not before it");
    }

    fn kernel() -> Kernel {
        Kernel { function: ptr::null_mut(), threads: 256, shared: 0 }
    }

    #[test]
    fn parameters_lie_as_the_kernel_reads_them() {
        let mut node = node(&[]);
        (node.args, node.run, node.batch) = (vec![0x1000, 0x2000], 0x3000, 7);
        node.parts = vec![3, 5000, 0];
        let launch = Launch::of(&node, kernel(), 2112).unwrap();
        // Parts hold 3, 2112 and 1 blocks.
        assert_eq!(launch.blocks, 2116);
        let bytes: Vec<u8> = launch.parameters.iter().flat_map(|quad| quad.to_le_bytes()).collect();
        let quads: Vec<u64> = bytes[..24].chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect();
        let words: Vec<u32> = bytes[24..].chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(quads, [0x1000, 0x2000, 0x3000]);
        // Batch, the first blocks, and padding to eight bytes.
        assert_eq!(words, [7, 0, 3, 2115, 2116, 0]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_errors() {
        let mut large = node(&[]);
        large.batch = 1 << 32;
        assert!(Launch::of(&large, kernel(), 2112).err().unwrap().contains("a batch of 4294967296 is too large"));
        let mut empty = node(&[]);
        empty.parts.clear();
        assert!(Launch::of(&empty, kernel(), 2112).err().unwrap().contains("no part"));
    }
}
