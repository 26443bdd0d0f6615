package io.execsvc.client;

/** How much a log entry matters, least first. */
public enum LogLevel {
  /** Not set, or a level that this client does not know; as a filter: everything. */
  UNSPECIFIED,
  /** Detail for finding out why. */
  DEBUG,
  /** What happens. */
  INFO,
  /** Something unexpected that does not stop the execution. */
  WARNING,
  /** A failure. */
  ERROR;

  static LogLevel of(io.execsvc.v1.LogLevel raw) {
    return switch (raw) {
      case LOG_LEVEL_DEBUG -> DEBUG;
      case LOG_LEVEL_INFO -> INFO;
      case LOG_LEVEL_WARNING -> WARNING;
      case LOG_LEVEL_ERROR -> ERROR;
      // Also one of a newer proto: that needs no change here.
      default -> UNSPECIFIED;
    };
  }
}
