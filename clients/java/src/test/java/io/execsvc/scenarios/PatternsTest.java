package io.execsvc.scenarios;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PatternsTest {
  private static String mismatch(String pattern, String value) {
    return Patterns.mismatch(Json.parse(pattern), Json.parse(value), "");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{\"a\": 1} | {\"a\": \"1\", \"b\": 2}",
        "{\"a\": 0, \"b\": [], \"c\": {}, \"d\": null, \"e\": \"\", \"f\": false} | {}",
        "{\"a\": {}} | {\"a\": {\"b\": 1}}",
        "[1, {\"$gt\": 1}] | [1.0, \"2\"]",
        "{\"$any\": true} | 1",
        "{\"$absent\": true} | 0",
        "{\"$match\": \"^a.c$\"} | \"abc\"",
        "{\"$len\": 2} | \"🙂ü\"",
        "{\"$len\": 2, \"$each\": {\"$lt\": 3}} | [1, 2]",
        "{\"$contains\": [{\"a\": 1}]} | [{\"a\": 2}, {\"a\": 1}]",
        "{\"$contains\": \"b\"} | \"abc\"",
        "{\"$not\": 1} | 2",
        "{\"$keys\": [\"b\", \"a\"]} | {\"a\": 1, \"b\": null}",
      })
  void matches(String pattern, String value) {
    assertNull(mismatch(pattern, value));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{\"a\": 1} | {\"a\": 2}",
        "{\"a\": 1} | {}",
        "{\"a\": \"1\"} | {\"a\": 1}",
        "{\"a\": 0} | {\"a\": 1}",
        "{\"a\": []} | {\"a\": [1]}",
        "{\"a\": {}} | {\"a\": 0}",
        "[1] | [1, 2]",
        "{\"$any\": true} | \"\"",
        "{\"$absent\": true} | 1",
        "{\"$match\": \"^b\"} | \"abc\"",
        "{\"$lt\": 3} | null",
        "{\"$gte\": 3} | 2",
        "{\"$len\": 1} | [1, 2]",
        "{\"$each\": 1} | [1, 2]",
        "{\"$contains\": [3]} | [1, 2]",
        "{\"$not\": 1} | 1",
        "{\"$keys\": [\"a\"]} | {\"a\": 1, \"b\": 2}",
      })
  void doesNotMatch(String pattern, String value) {
    assertNotNull(mismatch(pattern, value));
  }

  @Test
  void problemSaysWhere() {
    assertEquals(
        "at entries.1.level: expected \"INFO\", got \"DEBUG\"",
        mismatch(
            "{\"entries\": [{}, {\"level\": \"INFO\"}]}",
            "{\"entries\": [{}, {\"level\": \"DEBUG\"}]}"));
  }
}
