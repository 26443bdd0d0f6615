package io.execsvc.client;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads spans of time: a {@link Duration}, seconds, or text like {@code 1.5s} or {@code 200ms}. */
final class Spans {
  /** What {@code google.protobuf.Duration} can hold, in seconds: about 10,000 years. */
  private static final long MAX_SECONDS = 315_576_000_000L;

  private static final BigInteger NANOS = BigInteger.valueOf(1_000_000_000L);
  private static final Pattern TEXT =
      Pattern.compile("([0-9]{1,20}(?:\\.[0-9]{1,20})?)(us|ms|s|m|h)");
  private static final Map<String, Long> UNITS =
      Map.of(
          "us", 1_000L,
          "ms", 1_000_000L,
          "s", 1_000_000_000L,
          "m", 60_000_000_000L,
          "h", 3_600_000_000_000L);

  private Spans() {}

  /** Returns a span as protobuf, or null where it is none, which is then noted. */
  static com.google.protobuf.Duration toProto(Object value, String path, Problems problems) {
    BigInteger nanos = nanoseconds(value);
    if (nanos == null) {
      problems.add(
          path,
          "INVALID_DURATION",
          "expected seconds (1.5), a Duration or text like \"1.5s\", \"200ms\", \"2m\" or \"1h\","
              + " got "
              + shown(value));
      return null;
    }
    BigInteger[] parts = nanos.divideAndRemainder(NANOS);
    if (nanos.abs().compareTo(NANOS.multiply(BigInteger.valueOf(MAX_SECONDS))) > 0) {
      String limit = String.format("at most %,d seconds fit, got ", MAX_SECONDS);
      problems.add(path, "INVALID_DURATION", limit + shown(value));
      return null;
    }
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(parts[0].longValue())
        .setNanos(parts[1].intValue())
        .build();
  }

  private static String shown(Object value) {
    String text = value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
    return text.length() <= 80 ? text : text.substring(0, 80);
  }

  private static BigInteger nanoseconds(Object value) {
    if (value instanceof Duration span) {
      return BigInteger.valueOf(span.getSeconds())
          .multiply(NANOS)
          .add(BigInteger.valueOf(span.getNano()));
    }
    if (value instanceof String text) {
      Matcher found = TEXT.matcher(text);
      return found.matches()
          ? new BigDecimal(found.group(1))
              .multiply(BigDecimal.valueOf(UNITS.get(found.group(2))))
              .toBigInteger()
          : null;
    }
    if (value instanceof Number number && Double.isFinite(number.doubleValue())) {
      return new BigDecimal(number.toString())
          .multiply(new BigDecimal(NANOS))
          .setScale(0, RoundingMode.HALF_EVEN)
          .toBigInteger();
    }
    return null;
  }
}
