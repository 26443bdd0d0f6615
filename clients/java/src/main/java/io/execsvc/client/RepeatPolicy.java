package io.execsvc.client;

/** Decides whether and when a failed call or a broken stream is tried again. */
interface RepeatPolicy {
  /** Stands for no limit. */
  long ENDLESS = Long.MAX_VALUE;

  /** Returns the nanoseconds that the next attempt may take, or {@link #ENDLESS}. */
  long callTimeout();

  /**
   * Returns the nanoseconds to wait before the next attempt.
   *
   * @throws ExecsvcException the error itself, where another attempt is not safe, not useful or too
   *     late
   */
  long delayAfter(ExecsvcException error);
}
