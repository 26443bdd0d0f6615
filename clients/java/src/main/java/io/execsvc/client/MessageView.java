package io.execsvc.client;

import com.google.protobuf.Message;

/**
 * What the server answered, read through plain Java types. Equal where the messages are.
 *
 * @param <M> the message of the API behind it
 */
public abstract class MessageView<M extends Message> {
  private final M raw;

  MessageView(M raw) {
    this.raw = raw;
  }

  /**
   * Returns the message of the API, which may hold more than this client knows.
   *
   * @return the message as it was received
   */
  public final M raw() {
    return raw;
  }

  @Override
  public final boolean equals(Object other) {
    return other instanceof MessageView<?> view
        && getClass() == view.getClass()
        && raw.equals(view.raw);
  }

  @Override
  public final int hashCode() {
    return raw.hashCode();
  }

  @Override
  public final String toString() {
    return getClass().getSimpleName() + "{" + raw.toString().strip().replace("\n", ", ") + "}";
  }
}
