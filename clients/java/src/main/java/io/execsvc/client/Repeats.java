package io.execsvc.client;

/** Who repeats a unary call while the server is unavailable. */
enum Repeats {
  /** It is not safe. */
  NEVER,

  /**
   * gRPC, which does not take a call that a server's core cut off for one to repeat: that is left
   * to this client.
   */
  BY_GRPC,

  BY_CLIENT;

  /** Whether this client may repeat a call that failed so. */
  boolean after(ExecsvcException error) {
    return switch (this) {
      case NEVER -> false;
      case BY_GRPC -> Failures.isCutOff(error);
      case BY_CLIENT -> error instanceof UnavailableException;
    };
  }
}
