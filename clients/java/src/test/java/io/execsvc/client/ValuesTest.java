package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Value;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ValuesTest {
  private static final long EXACT = 1L << 53;

  private final Problems problems = new Problems();

  private Object roundTrip(Object value) {
    return Values.toJava(Values.toValue(value, "input", problems));
  }

  private String reason(Object value) {
    Values.toValue(value, "input", problems);
    return problems.found().get(0).reason();
  }

  @Test
  void jsonComesBackAsItWasSent() {
    Map<String, Object> value =
        Map.of("text", "Grüße 🙂", "list", Arrays.asList(1L, 2.5, true, null), "map", Map.of());
    assertEquals(value, roundTrip(value));
    assertNull(roundTrip(null));
  }

  @Test
  void wholeNumbersComeBackAsLong() {
    assertEquals(3L, roundTrip(3));
    assertEquals(3L, roundTrip(3.0));
    assertEquals(-EXACT, roundTrip(-EXACT));
    assertEquals(0L, roundTrip(-0.0));
    assertEquals(0x1p54, roundTrip(0x1p54));
    assertEquals(0.1f, ((Double) roundTrip(0.1f)).floatValue());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"9007199254740993", "-9007199254740993", "123456789012345678901234567891"})
  void integerThatADoubleCannotHoldIsRefused(String digits) {
    assertEquals("INEXACT_INTEGER", reason(new BigInteger(digits)));
  }

  @Test
  void longestLongIsRefusedAndItsNeighbourIsNot() {
    assertEquals("INEXACT_INTEGER", reason(Long.MAX_VALUE));
    assertEquals(0x1p63, roundTrip(BigInteger.TWO.pow(63)));
    assertEquals("INEXACT_INTEGER", reason(BigInteger.TEN.pow(400)));
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void whatJsonDoesNotHaveIsRefused(double number) {
    assertEquals("NOT_FINITE", reason(number));
  }

  @Test
  void everyProblemIsReportedWithItsPath() {
    Values.toStruct(
        Map.of("a", List.of(1, Map.of("b", Double.NaN)), "c", new Object()), "input", problems);
    List<String> paths = problems.found().stream().map(Problem::path).sorted().toList();
    assertEquals(List.of("input.a[1].b", "input.c"), paths);
  }

  @Test
  void halfASurrogatePairIsRefused() {
    assertEquals("INVALID_UNICODE", reason("ab\ud800"));
    assertEquals("INVALID_UNICODE", reason(Map.of("\udc00", 1)));
  }

  @Test
  void keysAreText() {
    assertEquals("WRONG_TYPE", reason(Map.of(1, 2)));
  }

  @Test
  void nestingHasALimit() {
    Object value = "deep";
    for (int level = 0; level < 30; level++) {
      value = new ArrayList<>(List.of(value));
    }
    assertEquals(value, roundTrip(value));
    assertEquals("TOO_DEEP", reason(List.of(value)));
  }

  @Test
  void answersCannotBeChanged() {
    Value list = Values.toValue(List.of(1), "", problems);
    List<?> items = (List<?>) Values.toJava(list);
    org.junit.jupiter.api.Assertions.assertThrows(
        UnsupportedOperationException.class, items::clear);
    assertTrue(problems.found().isEmpty());
  }
}
