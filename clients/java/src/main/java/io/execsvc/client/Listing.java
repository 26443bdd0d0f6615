package io.execsvc.client;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A list that is fetched page by page as it is read. Each iterator begins anew; reading may throw
 * what the call that fetches a page throws.
 *
 * @param <T> what is listed
 */
public final class Listing<T> implements Iterable<T> {
  private final Function<String, Page<T>> fetch;

  Listing(Function<String, Page<T>> fetch) {
    this.fetch = fetch;
  }

  @Override
  public Iterator<T> iterator() {
    return new Iterator<>() {
      private Iterator<T> page = List.<T>of().iterator();
      private String token = "";
      private boolean last;

      @Override
      public boolean hasNext() {
        while (!page.hasNext() && !last) {
          Page<T> found = fetch.apply(token);
          page = found.items().iterator();
          token = found.nextToken();
          last = token.isEmpty();
        }
        return page.hasNext();
      }

      @Override
      public T next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return page.next();
      }
    };
  }

  /**
   * Returns the same as a stream, fetched as lazily.
   *
   * @return a sequential stream
   */
  public Stream<T> stream() {
    return StreamSupport.stream(spliterator(), false);
  }
}
