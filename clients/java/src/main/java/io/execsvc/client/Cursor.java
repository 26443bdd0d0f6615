package io.execsvc.client;

import com.google.protobuf.Message;

/**
 * Where a reader of a stream stands, and how it goes on after a break. No I/O.
 *
 * @param <Q> request
 * @param <R> response
 * @param <T> what the reader gets
 */
interface Cursor<Q extends Message, R extends Message, T> {
  /** Returns what the next connection must ask for. */
  Q request();

  /** Returns the nanoseconds that the next connection may last, or {@link RepeatPolicy#ENDLESS}. */
  long callTimeout();

  /** Takes one response in. */
  void receive(R response);

  /** Whether {@link #next()} has something. */
  boolean hasNext();

  /** Hands out the next item; only where {@link #hasNext()}. */
  T next();

  /** Whether everything was handed out and nothing more will come. */
  boolean ended();

  /**
   * Notes that the stream ended without an error.
   *
   * @return nanoseconds to wait before connecting again; negative: this was the end
   */
  long closedByServer();

  /**
   * Notes that the stream failed.
   *
   * @return nanoseconds to wait before connecting again
   * @throws ExecsvcException connecting again would not help, or was tried for too long
   */
  long broken(ExecsvcException error);

  /** Returns where the execution stands, once that was handed out with everything before it. */
  ExecutionStatus finalStatus();
}
