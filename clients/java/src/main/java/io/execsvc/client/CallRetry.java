package io.execsvc.client;

/** Repeats one unary call while the server is unavailable, a few times, within its deadline. */
final class CallRetry implements RepeatPolicy {
  /** Attempts at one call, the first included. gRPC allows no more in a service config. */
  static final int MAX_ATTEMPTS = 5;

  private final Timing timing;
  private final Repeats repeats;
  private final long deadline;
  private int attempt;

  CallRetry(Timing timing, Repeats repeats, long deadline) {
    this.timing = timing;
    this.repeats = repeats;
    this.deadline = deadline;
  }

  @Override
  public long callTimeout() {
    return Math.max(0, deadline - timing.now());
  }

  @Override
  public long delayAfter(ExecsvcException error) {
    attempt++;
    if (!repeats.after(error) || attempt >= MAX_ATTEMPTS) {
      throw error;
    }
    long delay = timing.delay(attempt, error);
    if (delay >= callTimeout()) {
      throw error;
    }
    return delay;
  }
}
