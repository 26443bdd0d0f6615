// Write the TypeScript of the README into a folder: quick-start.ts as it stands, the other blocks as modules to compile.
// Usage: readme-blocks.mjs FOLDER TARGET

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [folder, target] = process.argv.slice(2);
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
if (blocks.length < 5) {
  throw new Error("the README has lost its examples");
}
const [quickStart, ...others] = blocks;
const placed = quickStart.replace("127.0.0.1:50051", target);
if (placed === quickStart) {
  throw new Error("the quick start does not say where it connects");
}
writeFileSync(join(folder, "quick-start.ts"), placed);
for (const [index, code] of others.entries()) {
  const imported = [...code.matchAll(/^import .*$/gm)].map(([line]) => line);
  const body = code.replace(/^import .*\n/gm, "");
  const given = ["client: ExecutionClient", "executionId: string", "definition: URL"].filter(
    (name) => !new RegExp(`const ${name.split(":")[0]}\\b`).test(body),
  );
  writeFileSync(
    join(folder, `block-${index + 1}.ts`),
    [
      'import { ExecutionClient } from "execsvc-client";',
      ...imported,
      `export async function block(${given.join(", ")}): Promise<void> {`,
      body,
      "}",
    ].join("\n"),
  );
}
