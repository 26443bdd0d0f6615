package io.execsvc.client;

import java.util.Map;

/** A kind of node that the server runs. */
public final class NodeType extends MessageView<io.execsvc.v1.NodeType> {
  NodeType(io.execsvc.v1.NodeType raw) {
    super(raw);
  }

  /**
   * Returns its name.
   *
   * @return as written in {@code type}
   */
  public String name() {
    return raw().getName();
  }

  /**
   * Returns what it does, for people.
   *
   * @return the text
   */
  public String description() {
    return raw().getDescription();
  }

  /**
   * Returns what its config may be.
   *
   * @return a JSON Schema (draft 2020-12)
   */
  public Map<String, Object> configSchema() {
    return Values.toMap(raw().getConfigSchema());
  }

  /**
   * Returns whether it acts on the world outside.
   *
   * @return true if so
   */
  public boolean effect() {
    return raw().getEffect();
  }
}
