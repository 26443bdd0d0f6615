package io.execsvc.client;

/**
 * One thing that is wrong with a request or a definition.
 *
 * @param path where, for example {@code definition.nodes[3].config.expression}
 * @param reason stable name of the kind of problem, UPPER_SNAKE_CASE; may be empty
 * @param message what is wrong and what would be right, for people
 */
public record Problem(String path, String reason, String message) {
  @Override
  public String toString() {
    return path.isEmpty() ? message : path + ": " + message;
  }
}
