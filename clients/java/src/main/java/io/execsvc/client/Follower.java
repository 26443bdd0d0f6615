package io.execsvc.client;

import com.google.protobuf.Message;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Hands a stream to a consumer, through broken connections. Its future ends with the stream;
 * cancelling it ends the call on the server.
 */
final class Follower<Q extends Message, R extends Message, T> {
  private final Connection connection;
  private final MethodDescriptor<Q, R> method;
  private final Cursor<Q, R, T> cursor;
  private final Consumer<? super T> consumer;
  private final CompletableFuture<ExecutionStatus> end = new CompletableFuture<>();
  private volatile ClientCall<Q, R> current;

  private Follower(
      Connection connection,
      MethodDescriptor<Q, R> method,
      Cursor<Q, R, T> cursor,
      Consumer<? super T> consumer) {
    this.connection = connection;
    this.method = method;
    this.cursor = cursor;
    this.consumer = consumer;
  }

  static <Q extends Message, R extends Message, T> CompletableFuture<ExecutionStatus> start(
      Connection connection,
      MethodDescriptor<Q, R> method,
      Cursor<Q, R, T> cursor,
      Consumer<? super T> consumer) {
    Follower<Q, R, T> follower = new Follower<>(connection, method, cursor, consumer);
    follower.end.whenComplete((status, error) -> follower.cancelIfEnded());
    follower.connect();
    return follower.end;
  }

  private void cancelIfEnded() {
    ClientCall<Q, R> running = current;
    if (running != null && end.isDone()) {
      running.cancel("the reader has closed the stream", null);
    }
  }

  private void connect() {
    if (end.isDone()) {
      return;
    }
    try {
      Q request = cursor.request();
      ClientCall<Q, R> next = connection.call(method, request, cursor.callTimeout());
      next.start(new Listener(next), connection.metadata());
      current = next;
      next.request(1);
      next.sendMessage(request);
      next.halfClose();
    } catch (RuntimeException error) {
      // Also what the token's supplier throws.
      end.completeExceptionally(error);
    }
    cancelIfEnded();
  }

  private final class Listener extends ClientCall.Listener<R> {
    private final ClientCall<Q, R> call;

    Listener(ClientCall<Q, R> call) {
      this.call = call;
    }

    @Override
    public void onMessage(R message) {
      try {
        cursor.receive(message);
        while (cursor.hasNext() && !end.isDone()) {
          consumer.accept(cursor.next());
        }
      } catch (RuntimeException | Error error) {
        end.completeExceptionally(error);
        return;
      }
      if (cursor.ended()) {
        end.complete(cursor.finalStatus());
      } else {
        call.request(1);
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      if (end.isDone()) {
        return;
      }
      try {
        long delay =
            status.isOk()
                ? cursor.closedByServer()
                : cursor.broken(connection.failure(status.asRuntimeException(trailers)));
        if (delay < 0) {
          end.complete(cursor.finalStatus());
        } else {
          Connection.after(delay).execute(Follower.this::connect);
        }
      } catch (ExecsvcException error) {
        end.completeExceptionally(error);
      }
    }
  }
}
