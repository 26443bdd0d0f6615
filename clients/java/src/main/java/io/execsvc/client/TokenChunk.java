package io.execsvc.client;

/** A piece of a language model's answer. */
public final class TokenChunk extends MessageView<io.execsvc.v1.TokenChunk> {
  TokenChunk(io.execsvc.v1.TokenChunk raw) {
    super(raw);
  }

  /**
   * Returns the node that asked.
   *
   * @return its id
   */
  public String nodeId() {
    return raw().getNodeId();
  }

  /**
   * Returns its attempt.
   *
   * @return from 1; a new attempt begins its answer anew
   */
  public int attempt() {
    return raw().getAttempt();
  }

  /**
   * Returns what to append.
   *
   * @return the text
   */
  public String text() {
    return raw().getText();
  }
}
