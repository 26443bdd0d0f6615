package io.execsvc.client;

import com.google.protobuf.Message;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** One connection of a stream, read by blocking. At most two responses wait to be read. */
final class StreamCall<Q extends Message, R extends Message> {
  /** How the call ended. */
  private record End(Status status, Metadata trailers) {}

  private final ClientCall<Q, R> call;
  private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();

  StreamCall(ClientCall<Q, R> call, Metadata metadata, Q request) {
    this.call = call;
    call.start(
        new ClientCall.Listener<R>() {
          @Override
          public void onMessage(R message) {
            events.add(message);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            events.add(new End(status, trailers));
          }
        },
        metadata);
    call.request(2);
    call.sendMessage(request);
    call.halfClose();
  }

  /**
   * Returns the next response, or null where the stream ended well.
   *
   * @throws StatusRuntimeException if it did not
   */
  @SuppressWarnings("unchecked")
  R read() throws InterruptedException {
    Object event = events.take();
    if (event instanceof End end) {
      // For whoever reads on.
      events.add(end);
      if (!end.status().isOk()) {
        throw end.status().asRuntimeException(end.trailers());
      }
      return null;
    }
    call.request(1);
    return (R) event;
  }

  void cancel() {
    call.cancel("the reader has closed the stream", null);
  }
}
