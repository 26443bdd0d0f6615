// Runs the scenarios that the lab serves; see clients/scenarios/README.md.

import { type Lab, Run, type Scenario } from "./scenario.js";

const LIMIT_MS = 120_000;

const url = process.env.EXECSVC_LAB?.replace(/\/$/, "");
if (!url) {
  throw new Error("EXECSVC_LAB must hold the address of the lab");
}
const only = new Set((process.env.EXECSVC_ONLY ?? "").split(",").filter((name) => name !== ""));
const response = await fetch(`${url}/scenarios`);
if (!response.ok) {
  throw new Error(`${url}/scenarios: ${response.status} ${await response.text()}`);
}
const served = (await response.json()) as Omit<Lab, "url"> & { readonly scenarios: readonly Scenario[] };
const lab: Lab = { ...served, url };
for (const scenario of served.scenarios) {
  if (only.size > 0 && !only.has(scenario.name)) {
    continue;
  }
  const problem = await new Run(lab, scenario).within(LIMIT_MS);
  console.log(JSON.stringify({ scenario: scenario.name, ok: problem === undefined, ...problem }));
  if (problem) {
    process.exitCode = 1;
  }
}
