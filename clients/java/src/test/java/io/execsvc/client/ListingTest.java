package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;

class ListingTest {
  private final Map<String, Page<Integer>> pages =
      Map.of(
          "", new Page<>(List.of(1, 2), "b"),
          "b", new Page<>(List.of(), "c"),
          "c", new Page<>(List.of(3), ""));
  private final List<String> asked = new ArrayList<>();
  private final Listing<Integer> listing =
      new Listing<>(
          token -> {
            asked.add(token);
            return pages.get(token);
          });

  @Test
  void pagesAreFetchedAsTheyAreRead() {
    Iterator<Integer> iterator = listing.iterator();
    assertEquals(List.of(), asked);
    iterator.next();
    iterator.next();
    assertEquals(List.of(""), asked);
    assertEquals(3, iterator.next());
    assertThrows(NoSuchElementException.class, iterator::next);
    assertEquals(List.of("", "b", "c"), asked);
  }

  @Test
  void eachIterationBeginsAnew() {
    assertEquals(List.of(1, 2, 3), listing.stream().toList());
    assertEquals(List.of(1, 2, 3), listing.stream().toList());
    assertEquals(1, listing.stream().findFirst().orElseThrow());
  }
}
