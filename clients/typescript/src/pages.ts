// Lists that come in pages.

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Asks for the next page; empty: this is the last. */
  readonly nextToken: string;
}

export interface PageOptions {
  /** `nextToken` of the page before, with the other options as they were; without it the first page. */
  readonly pageToken?: string | undefined;
}

/** Yields the items of all pages, each fetched when it is needed. */
export async function* paged<Item>(
  fetch: (pageToken: string) => Promise<Page<Item>>,
): AsyncGenerator<Item, undefined, undefined> {
  let token = "";
  do {
    const page = await fetch(token);
    yield* page.items;
    token = page.nextToken;
  } while (token);
}
