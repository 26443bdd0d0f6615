package io.execsvc.client;

/**
 * The workflow definition cannot be read; found before anything was sent.
 *
 * <p>{@code fieldViolations} hold every problem with its path. What only the server can know
 * (expressions, cycles, names that are not upstream) is reported by it: as {@link
 * InvalidArgumentException}, or by {@code validate}.
 */
public final class DefinitionException extends InvalidArgumentException {
  private static final long serialVersionUID = 1L;

  DefinitionException(String message, StatusDetails details) {
    super(message, details);
  }
}
