// Runs the steps of one scenario.

import { ExecsvcError, type ExecutionClient } from "../src/index.js";
import { Background, type Outcome } from "./background.js";
import { ofError } from "./documents.js";
import { connect, OPERATIONS } from "./operations.js";
import { mismatch } from "./patterns.js";
import { type Document, type Json, Variables } from "./variables.js";

export interface Scenario {
  readonly name: string;
  readonly steps: readonly Document[];
}

export interface Lab {
  readonly url: string;
  readonly target: string;
  readonly definitions: Document;
}

export interface Problem {
  readonly step: number;
  readonly problem: string;
}

const BESIDE = new Set(["as", "expect", "error", "client", "background", "repeat", "parallel"]);

export class Run {
  readonly #variables = new Variables();
  readonly #clients = new Map<string, ExecutionClient>();
  readonly #background = new Map<string, Background>();
  readonly #controller = new AbortController();
  #step = 0;

  constructor(
    private readonly lab: Lab,
    private readonly scenario: Scenario,
  ) {
    this.#clients.set("", connect({ target: lab.target }));
  }

  /** Runs the scenario within so many milliseconds; returns what went wrong. */
  async within(limit: number): Promise<Problem | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`it takes longer than ${limit / 1000} s`), limit);
    });
    try {
      const problem = await Promise.race([this.#steps(), late]);
      return problem === undefined ? undefined : { step: this.#step, problem };
    } finally {
      clearTimeout(timer);
      this.#controller.abort();
      for (const client of this.#clients.values()) {
        client.close();
      }
    }
  }

  async #steps(): Promise<string | undefined> {
    for (const [index, step] of this.scenario.steps.entries()) {
      this.#step = index;
      try {
        const problem = await this.#run(step);
        if (problem !== undefined) {
          return problem;
        }
      } catch (error) {
        return error instanceof Error ? (error.stack ?? error.message) : String(error);
      }
    }
    return undefined;
  }

  async #run(step: Document): Promise<string | undefined> {
    const operation = Object.keys(step).find((key) => !BESIDE.has(key) && key !== "as") ?? "connect";
    const outcome = await this.#outcome(operation, step);
    if (outcome === undefined) {
      return undefined;
    }
    if ("error" in outcome) {
      if (!(outcome.error instanceof ExecsvcError) || step.error === undefined) {
        throw outcome.error;
      }
      return mismatch(this.#variables.fill(step.error), ofError(outcome.error));
    }
    if (step.error !== undefined) {
      return `expected an error, got ${JSON.stringify(outcome.result)?.slice(0, 300)}`;
    }
    if (typeof step.as === "string") {
      this.#variables.keep(step.as, outcome.result);
    }
    return step.expect === undefined ? undefined : mismatch(this.#variables.fill(step.expect), outcome.result);
  }

  async #outcome(operation: string, step: Document): Promise<Outcome | undefined> {
    const given = step[operation] ?? {};
    const turn = (index: number, signal: AbortSignal, seen: () => void) =>
      this.#operate(operation, step, this.#variables.turn(index).fill(given) as Document, signal, seen);
    const { signal } = this.#controller;
    if (typeof step.background === "string") {
      this.#background.set(
        step.background,
        new Background((cancel, seen) => turn(0, AbortSignal.any([cancel, signal]), seen)),
      );
      return undefined;
    }
    if (operation === "join") {
      return await this.#named(given).join();
    }
    try {
      if (typeof step.parallel === "number") {
        return { result: await parallel(step.parallel, (index) => turn(index, signal, () => {})) };
      }
      let result: Json = null;
      for (let index = 0; index < (typeof step.repeat === "number" ? step.repeat : 1); index += 1) {
        result = await turn(index, signal, () => {});
      }
      return { result };
    } catch (error) {
      return { error };
    }
  }

  async #operate(
    operation: string,
    step: Document,
    given: Document,
    signal: AbortSignal,
    seen: () => void,
  ): Promise<Json> {
    switch (operation) {
      case "connect":
        this.#clients.set(String(given.as ?? step.as), connect(given));
        return {};
      case "lab":
        return await post(this.lab.url + String(given.path), given.body ?? {}, signal);
      case "until":
        await this.#named(given).until(Number(given.entries));
        return {};
      case "cancel":
        await this.#named(given).cancel();
        return {};
      default: {
        const run = OPERATIONS[operation];
        const client = this.#clients.get(String(step.client ?? ""));
        if (!run || !client) {
          throw new Error(run ? `there is no client ${step.client}` : `there is no operation ${operation}`);
        }
        return await run({ client, definitions: this.lab.definitions, signal, seen }, given);
      }
    }
  }

  #named(given: Json): Background {
    const name = String((given as Document).background);
    const background = this.#background.get(name);
    if (!background) {
      throw new Error(`nothing runs in the background as ${name}`);
    }
    return background;
  }
}

async function parallel(times: number, turn: (index: number) => Promise<Json>): Promise<Json> {
  const outcomes = await Promise.allSettled(Array.from({ length: times }, (_, index) => turn(index)));
  const results: Json[] = [];
  const failures: Json[] = [];
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") {
      results.push(outcome.value);
    } else if (outcome.reason instanceof ExecsvcError) {
      failures.push(ofError(outcome.reason));
    } else {
      throw outcome.reason;
    }
  }
  return { results, failures };
}

async function post(url: string, body: Json, signal: AbortSignal): Promise<Json> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal });
  if (!response.ok) {
    throw new Error(`${url}: ${response.status} ${await response.text()}`);
  }
  return (await response.json()) as Json;
}
