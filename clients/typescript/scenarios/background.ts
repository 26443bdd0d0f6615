// Operations that run beside the steps of their scenario.

import { EventEmitter, once } from "node:events";
import type { Json } from "./variables.js";

export type Outcome = { readonly result: Json } | { readonly error: unknown };

export class Background {
  readonly #controller = new AbortController();
  readonly #outcome: Promise<Outcome>;
  #count = 0;
  #ended = false;
  readonly #changed = new EventEmitter();

  constructor(run: (signal: AbortSignal, seen: () => void) => Promise<Json>) {
    this.#outcome = run(this.#controller.signal, () => {
      this.#count += 1;
      this.#tell();
    })
      .then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      )
      .finally(() => {
        this.#ended = true;
        this.#tell();
      });
  }

  /** Waits until a stream has handed out so many items. */
  async until(items: number): Promise<void> {
    while (this.#count < items) {
      if (this.#ended) {
        throw new Error(`it ended after ${this.#count} items: ${JSON.stringify(await this.#outcome)}`);
      }
      await once(this.#changed, "change");
    }
  }

  async join(): Promise<Outcome> {
    return await this.#outcome;
  }

  async cancel(): Promise<void> {
    this.#controller.abort();
    await this.#outcome;
  }

  #tell(): void {
    this.#changed.emit("change");
  }
}
