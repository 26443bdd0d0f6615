package io.execsvc.client;

import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A stream that survives broken connections: it connects again by itself where it stood. For one
 * thread at a time; only {@link #close()} may be called from any. There is one iteration: a second
 * loop goes on where the first one ended. Close it when you leave early, best by
 * try-with-resources.
 *
 * <p>Reading throws {@link UnavailableException} once the server was away for longer than {@code
 * reconnectTimeout}, and {@link CancelledException} where the thread is interrupted or the client
 * closed; whoever reads on after an exception starts at the cursor with a new connection.
 *
 * @param <T> what the stream hands out
 */
public abstract class ResumingStream<T> implements Iterable<T>, AutoCloseable {
  private final Reader<?, ?, T> reader;

  <Q extends Message, R extends Message> ResumingStream(
      Connection connection, MethodDescriptor<Q, R> method, Cursor<Q, R, T> cursor) {
    this.reader = new Reader<>(connection, method, cursor);
  }

  @Override
  public final Iterator<T> iterator() {
    return reader;
  }

  /**
   * Returns the same as a {@link Stream}; closing that closes this.
   *
   * @return a sequential stream
   */
  public final Stream<T> stream() {
    return StreamSupport.stream(spliterator(), false).onClose(this::close);
  }

  /**
   * Returns where the execution stands, once it has ended and everything was handed out.
   *
   * @return empty before
   */
  public final Optional<ExecutionStatus> finalStatus() {
    return Optional.ofNullable(reader.cursor.finalStatus());
  }

  /** Ends the call on the server, and the iteration. May be called from any thread, and again. */
  @Override
  public final void close() {
    reader.close();
  }

  private static final class Reader<Q extends Message, R extends Message, T>
      implements Iterator<T> {
    private final Connection connection;
    private final MethodDescriptor<Q, R> method;
    private final Cursor<Q, R, T> cursor;
    private final CountDownLatch closed = new CountDownLatch(1);

    /** The open connection; null between two. */
    private volatile StreamCall<Q, R> call;

    Reader(Connection connection, MethodDescriptor<Q, R> method, Cursor<Q, R, T> cursor) {
      this.connection = connection;
      this.method = method;
      this.cursor = cursor;
    }

    @Override
    public boolean hasNext() {
      try {
        while (!isClosed()) {
          if (cursor.hasNext()) {
            return true;
          }
          if (cursor.ended()) {
            drop();
            return false;
          }
          long delay = read();
          if (delay > 0) {
            pause(delay);
          }
        }
        return false;
      } catch (InterruptedException error) {
        drop();
        throw Failures.interrupted(error);
      }
    }

    @Override
    public T next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return cursor.next();
    }

    /** Takes one response in; returns the nanoseconds to wait if the connection broke instead. */
    private long read() throws InterruptedException {
      // Another thread that closes this sets the field to null.
      StreamCall<Q, R> open = call;
      if (open == null) {
        Q request = cursor.request();
        open =
            new StreamCall<>(
                connection.call(method, request, cursor.callTimeout()),
                connection.metadata(),
                request);
        call = open;
      }
      if (isClosed()) {
        open.cancel();
        return 0;
      }
      try {
        R response = open.read();
        if (response == null) {
          call = null;
          return cursor.closedByServer();
        }
        cursor.receive(response);
        return 0;
      } catch (StatusRuntimeException error) {
        call = null;
        return isClosed() ? 0 : cursor.broken(connection.failure(error));
      }
    }

    /** Waits in steps, so that a closed client ends it. */
    private void pause(long nanos) throws InterruptedException {
      long step = TimeUnit.MILLISECONDS.toNanos(100);
      for (long left = nanos; left > 0 && !connection.isClosed(); left -= step) {
        if (closed.await(Math.min(left, step), TimeUnit.NANOSECONDS)) {
          return;
        }
      }
    }

    private boolean isClosed() {
      return closed.getCount() == 0;
    }

    private void drop() {
      StreamCall<Q, R> open = call;
      call = null;
      if (open != null) {
        open.cancel();
      }
    }

    void close() {
      closed.countDown();
      drop();
    }
  }
}
