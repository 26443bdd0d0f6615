package io.execsvc.client;

/** How much of an execution to answer. */
public enum ExecutionView {
  /** Without definition, input, output and node outputs. */
  BASIC,
  /** Everything. */
  FULL
}
