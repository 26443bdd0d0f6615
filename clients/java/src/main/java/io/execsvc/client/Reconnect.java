package io.execsvc.client;

import java.util.OptionalLong;

/**
 * Repeats a stream, or a call that belongs to one, through outages of any number up to a length.
 *
 * <p>Progress is any answer of the server. What gives up is {@code giveUpAfter} without, counted
 * from the first failure; and the deadline, where there is one.
 */
final class Reconnect implements RepeatPolicy {
  private final Timing timing;
  private final OptionalLong giveUpAfter;
  private final OptionalLong deadline;
  private final OptionalLong limit;
  private int attempt;
  private OptionalLong failingSince = OptionalLong.empty();
  private long calmSince;

  /**
   * Starts without any failure.
   *
   * @param giveUpAfter longest outage in nanoseconds; empty: for ever
   * @param deadline when to end by the clock of {@code timing}; empty: never
   * @param limit nanoseconds that one attempt may take; empty: without end
   */
  Reconnect(Timing timing, OptionalLong giveUpAfter, OptionalLong deadline, OptionalLong limit) {
    this.timing = timing;
    this.giveUpAfter = giveUpAfter;
    this.deadline = deadline;
    this.limit = limit;
    this.calmSince = timing.now();
  }

  @Override
  public long callTimeout() {
    return Math.min(limit.orElse(ENDLESS), remaining());
  }

  private long remaining() {
    return deadline.isEmpty() ? ENDLESS : Math.max(0, deadline.getAsLong() - timing.now());
  }

  /**
   * Notes an answer of the server.
   *
   * @param advanced whether it brought something new. Only that, or a connection that lasts, lets
   *     waits start small again: a server that accepts and drops at once must not be hammered.
   */
  void progress(boolean advanced) {
    long now = timing.now();
    if (failingSince.isPresent()) {
      failingSince = OptionalLong.empty();
      calmSince = now;
    }
    if (advanced || now - calmSince > Timing.MAX_DELAY) {
      attempt = 0;
    }
  }

  @Override
  public long delayAfter(ExecsvcException error) {
    if (!Failures.isLostConnection(error)) {
      throw error;
    }
    long remaining = remaining();
    if (remaining <= 0) {
      throw error instanceof DeadlineExceededException
          ? error
          : Failures.late("no answer came in time", error);
    }
    long now = timing.now();
    if (failingSince.isEmpty()) {
      failingSince = OptionalLong.of(now);
    }
    long left = ENDLESS;
    if (giveUpAfter.isPresent()) {
      left = giveUpAfter.getAsLong() - (now - failingSince.getAsLong());
      if (left <= 0) {
        throw error;
      }
    }
    attempt++;
    // A last attempt is made right at the end of either limit.
    return Math.min(timing.delay(attempt, error), Math.min(left, remaining));
  }
}
