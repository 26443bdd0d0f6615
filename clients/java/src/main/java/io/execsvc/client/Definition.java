package io.execsvc.client;

import io.execsvc.v1.WorkflowDefinition;
import java.nio.file.Path;
import java.util.Map;

/**
 * A workflow: what is to be run. Made of JSON in the form {@code {"nodes": […], "edges": […]}}, as
 * the server's own loader takes it; what React Flow editors export is taken as well ({@code data}
 * for {@code config}, {@code sourceHandle} for {@code branch}).
 *
 * <p>Only the shape is checked here: names, types, and numbers that protobuf could not carry. What
 * a definition means is the server's to judge.
 */
public final class Definition {
  private final WorkflowDefinition raw;

  private Definition(WorkflowDefinition raw) {
    this.raw = raw;
  }

  /**
   * Reads a JSON file.
   *
   * @param file the file, in UTF-8
   * @return the definition
   * @throws DefinitionException with every problem and its path, or line and column
   * @throws java.io.UncheckedIOException if the file cannot be read
   */
  public static Definition read(Path file) {
    return new Definition(DefinitionReader.read(file));
  }

  /**
   * Parses JSON text.
   *
   * @param json the text
   * @return the definition
   * @throws DefinitionException with every problem and its path, or line and column
   */
  public static Definition parse(String json) {
    return new Definition(DefinitionReader.parse(json));
  }

  /**
   * Takes the JSON form as a map, lists and plain values.
   *
   * @param json {@code nodes} and {@code edges}
   * @return the definition
   * @throws DefinitionException with every problem and its path
   */
  public static Definition of(Map<String, ?> json) {
    return new Definition(DefinitionReader.of(json));
  }

  /**
   * Takes the message of the API.
   *
   * @param message the definition
   * @return the same, for this client
   */
  public static Definition of(WorkflowDefinition message) {
    return new Definition(message);
  }

  /**
   * Returns the message of the API.
   *
   * @return the definition as it is sent
   */
  public WorkflowDefinition raw() {
    return raw;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Definition definition && raw.equals(definition.raw);
  }

  @Override
  public int hashCode() {
    return raw.hashCode();
  }

  @Override
  public String toString() {
    return raw.toString();
  }
}
