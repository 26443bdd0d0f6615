package io.execsvc.client;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * How often, and how far apart, a failed attempt is repeated.
 *
 * @param maxAttempts attempts in all, the first included: 1 to 100
 * @param initialBackoff wait before the second attempt
 * @param multiplier factor from one wait to the next, at least 1
 * @param maxBackoff longest wait between two attempts
 * @param nonRetryable error types that are never repeated, besides those that cannot succeed
 */
public record RetryPolicy(
    int maxAttempts,
    Duration initialBackoff,
    double multiplier,
    Duration maxBackoff,
    List<String> nonRetryable) {
  /**
   * Returns a policy with the standard waits: one second, doubling, up to a minute.
   *
   * @param maxAttempts attempts in all, the first included: 1 to 100
   * @return the policy
   */
  public static RetryPolicy of(int maxAttempts) {
    return new RetryPolicy(
        maxAttempts, Duration.ofSeconds(1), 2, Duration.ofSeconds(60), List.of());
  }

  /**
   * Returns this policy with other waits.
   *
   * @param initial wait before the second attempt
   * @param longest longest wait between two attempts
   * @return a new policy
   */
  public RetryPolicy withBackoff(Duration initial, Duration longest) {
    return new RetryPolicy(maxAttempts, initial, multiplier, longest, nonRetryable);
  }

  /**
   * Returns this policy with error types that are never repeated.
   *
   * @param types such as {@code LLM_RATE_LIMITED}
   * @return a new policy
   */
  public RetryPolicy withNonRetryable(String... types) {
    return new RetryPolicy(maxAttempts, initialBackoff, multiplier, maxBackoff, List.of(types));
  }

  /** Returns what a message says; what it leaves out has the standard value. */
  static RetryPolicy of(io.execsvc.v1.RetryPolicy raw) {
    RetryPolicy standard = of(Math.max(1, raw.getMaxAttempts()));
    return new RetryPolicy(
        standard.maxAttempts,
        raw.hasInitialBackoff()
            ? Values.toDuration(raw.getInitialBackoff())
            : standard.initialBackoff,
        raw.getMultiplier() == 0 ? standard.multiplier : raw.getMultiplier(),
        raw.hasMaxBackoff() ? Values.toDuration(raw.getMaxBackoff()) : standard.maxBackoff,
        raw.getNonRetryableList());
  }

  Map<String, Object> fields() {
    return Map.of(
        "max_attempts", maxAttempts,
        "initial_backoff", initialBackoff,
        "multiplier", multiplier,
        "max_backoff", maxBackoff,
        "non_retryable", nonRetryable);
  }
}
