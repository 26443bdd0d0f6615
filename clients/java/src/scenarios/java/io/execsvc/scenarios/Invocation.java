package io.execsvc.scenarios;

/** One operation under way: how far it is, and how it can be cancelled. */
final class Invocation {
  private final Thread thread = Thread.currentThread();
  private long seen;
  private boolean ended;
  private boolean cancelled;
  private Runnable cancel = thread::interrupt;

  /** Sets what cancels it in the manner of what it does; without, the thread is interrupted. */
  synchronized void onCancel(Runnable how) {
    cancel = how;
    if (cancelled) {
      how.run();
    }
  }

  synchronized void cancel() {
    cancelled = true;
    cancel.run();
  }

  synchronized void count() {
    seen++;
    notifyAll();
  }

  synchronized void end() {
    ended = true;
    notifyAll();
  }

  /** Waits until so many entries were read. */
  synchronized void awaitCount(long wanted) throws InterruptedException {
    while (seen < wanted && !ended) {
      wait();
    }
    if (seen < wanted) {
      throw new IllegalStateException("it ended after " + seen + " of " + wanted);
    }
  }
}
