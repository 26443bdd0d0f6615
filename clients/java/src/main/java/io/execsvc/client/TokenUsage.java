package io.execsvc.client;

/** Tokens that language models have used. */
public final class TokenUsage extends MessageView<io.execsvc.v1.TokenUsage> {
  TokenUsage(io.execsvc.v1.TokenUsage raw) {
    super(raw);
  }

  /**
   * Returns tokens sent to models.
   *
   * @return their number
   */
  public long inputTokens() {
    return raw().getInputTokens();
  }

  /**
   * Returns tokens that models produced.
   *
   * @return their number
   */
  public long outputTokens() {
    return raw().getOutputTokens();
  }

  /**
   * Returns all of them as the provider counts.
   *
   * @return need not be the sum of the other two
   */
  public long totalTokens() {
    return raw().getTotalTokens();
  }
}
