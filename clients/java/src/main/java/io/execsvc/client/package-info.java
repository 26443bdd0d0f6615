/**
 * The client of execsvc, the durable workflow-execution service: {@link
 * io.execsvc.client.ExecutionClient}. The messages and stubs of the API are in {@code
 * io.execsvc.v1}.
 */
package io.execsvc.client;
