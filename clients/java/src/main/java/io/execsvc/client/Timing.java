package io.execsvc.client;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * Where time and chance come from, and how long waits between attempts are.
 *
 * @param clock nanoseconds that never go back
 * @param chance 0 to 1, evenly
 */
record Timing(LongSupplier clock, DoubleSupplier chance) {
  static final Timing SYSTEM =
      new Timing(System::nanoTime, () -> ThreadLocalRandom.current().nextDouble());

  /** Wait before the second attempt. */
  static final long INITIAL_DELAY = Duration.ofMillis(100).toNanos();

  /** Longest wait between two attempts; a server's own {@code retryDelay} may be longer. */
  static final long MAX_DELAY = Duration.ofSeconds(5).toNanos();

  long now() {
    return clock.getAsLong();
  }

  /** Returns how long to wait after failed attempt {@code attempt}: doubling, half of it chance. */
  long delay(int attempt, ExecsvcException error) {
    long delay = Math.min(MAX_DELAY, INITIAL_DELAY << Math.min(attempt - 1, 10));
    long chosen = (long) (delay * (1 + chance.getAsDouble()) / 2);
    return Math.max(chosen, error.retryDelay().map(Timing::nanos).orElse(0L));
  }

  /** Returns a span in nanoseconds, at most some 100 years of them, which add without overflow. */
  static long nanos(Duration span) {
    Duration longest = Duration.ofNanos(Long.MAX_VALUE / 3);
    return (span.compareTo(longest) < 0 ? span : longest).toNanos();
  }
}
