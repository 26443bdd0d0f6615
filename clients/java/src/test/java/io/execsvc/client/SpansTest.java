package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.math.BigDecimal;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SpansTest {
  private final Problems problems = new Problems();

  private Duration read(Object value) {
    com.google.protobuf.Duration read = Spans.toProto(value, "timeout", problems);
    return read == null ? null : Values.toDuration(read);
  }

  @ParameterizedTest
  @CsvSource({"90s,PT90S", "1.5s,PT1.5S", "200ms,PT0.2S", "2m,PT2M", "1h,PT1H", "7us,PT0.000007S"})
  void textIsRead(String text, Duration span) {
    assertEquals(span, read(text));
  }

  @Test
  void secondsAndDurationsAreTaken() {
    assertEquals(Duration.ofSeconds(3), read(3));
    assertEquals(Duration.ofMillis(1500), read(1.5));
    assertEquals(Duration.ofMillis(1500), read(new BigDecimal("1.5")));
    assertEquals(Duration.ofMillis(-1500), read(Duration.ofMillis(-1500)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "soon", "90", "1 s", "-1s", "1d", "315576000001s"})
  void whatIsNoSpanIsReported(String text) {
    assertNull(read(text));
    assertEquals("INVALID_DURATION", problems.found().get(0).reason());
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, 1e300})
  void numbersThatDoNotFitAreReported(double seconds) {
    assertNull(read(seconds));
  }
}
