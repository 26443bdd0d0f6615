// The client: executions, their logs and their history.

import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type {
  ControlOptions,
  ExecuteOptions,
  GetOptions,
  ListExecutionsOptions,
  ListLogsOptions,
  LogOptions,
  RetryExecutionOptions,
  WaitOptions,
  WatchOptions,
} from "./calls.js";
import { resolveDefinition } from "./definition.js";
import { DeadlineExceededError } from "./errors.js";
import { type Execution, type ExecutionStatus, isTerminal, toExecution, toStatus } from "./executions.js";
import { filled } from "./fill.js";
import { LogCursor } from "./log-cursor.js";
import { type LogEntry, toLogEntry } from "./log-entries.js";
import { LogStream } from "./logs.js";
import { type CallOptions, secondsOf } from "./options.js";
import { type Page, type PageOptions, paged } from "./pages.js";
import * as v1 from "./v1.js";
import { WatchCursor } from "./watch-cursor.js";
import { WatchStream } from "./watches.js";
import { WorkflowClient } from "./workflows.js";

/**
 * Runs workflows on an execsvc server, follows and controls them.
 *
 * Every call may throw the subclasses of `ExecsvcError`. Calls are repeated while the server is unavailable, up to five
 * times within `callTimeout`; `execute` and the control calls carry an id each, so that a repeat does nothing twice.
 *
 * @example
 * const client = new ExecutionClient({ target: "127.0.0.1:50051" });
 * const { executionId } = await client.execute({ definition: new URL("triage.json", import.meta.url), input });
 * const execution = await client.wait(executionId);
 * console.log(execution.state, execution.output);
 * client.close();
 */
export class ExecutionClient extends WorkflowClient {
  /**
   * Starts an execution; returns once the server has it on disk.
   *
   * @throws DefinitionError: the definition cannot be read; nothing was sent.
   * @throws InvalidArgumentError with every problem in `fieldViolations`.
   * @throws NotFoundError: there is no such stored workflow.
   * @throws AlreadyExistsError: the id was used with another request.
   * @throws ResourceExhaustedError: something is too large, or the queue is full; then with a `retryDelay`.
   */
  async execute(options: ExecuteOptions): Promise<ExecutionStatus> {
    const definition = options.definition === undefined ? undefined : await resolveDefinition(options.definition);
    const request = filled(v1.ExecuteRequestSchema, {
      execution_id: options.executionId || randomUUID(),
      workflow_id: options.workflowId,
      workflow_version: options.workflowVersion,
      definition,
      input: options.input ?? {},
      labels: options.labels,
      priority: options.priority,
      timeout: options.timeout,
      concurrency_key: options.concurrencyKey,
      retry: options.retry,
      validate_only: options.validateOnly,
    });
    const response = await this.connection.call(
      ({ executions }, attempt) => executions.execute(request, attempt),
      options,
    );
    return statusOf(response);
  }

  /** Returns where an execution stands. Throws NotFoundError if there is none. */
  async status(executionId: string, options: CallOptions = {}): Promise<ExecutionStatus> {
    const request = filled(v1.GetStatusRequestSchema, { execution_id: executionId });
    const response = await this.connection.call(
      ({ executions }, attempt) => executions.getStatus(request, attempt),
      options,
    );
    return statusOf(response);
  }

  /** Returns the record of an execution. Throws NotFoundError if there is none. */
  async get(executionId: string, options: GetOptions = {}): Promise<Execution> {
    const request = filled(v1.GetExecutionRequestSchema, { execution_id: executionId, view: options.view ?? "full" });
    const response = await this.connection.call(
      ({ executions }, attempt) => executions.getExecution(request, attempt),
      options,
    );
    return toExecution(response.execution ?? create(v1.ExecutionSchema));
  }

  /**
   * Waits until an execution has ended, and returns its full record.
   *
   * Does not poll: it follows the log, filtered to nearly nothing, and goes on through restarts of the server. An
   * execution that FAILED or was STOPPED is returned like any other: look at `state` and `error`.
   *
   * @throws DeadlineExceededError: it had not ended after `timeout`; it goes on all the same.
   * @throws NotFoundError: there is no such execution.
   * @throws UnavailableError: the server was away for longer than `reconnectTimeout`.
   */
  async wait(executionId: string, options: WaitOptions = {}): Promise<Execution> {
    const seconds = options.timeout === undefined ? Infinity : secondsOf(options.timeout, "timeout");
    const deadline = this.connection.deadline(seconds);
    const quiet = filled(v1.StreamLogsRequestSchema, {
      execution_id: executionId,
      tail: 1,
      min_level: "ERROR",
      follow: true,
    });
    const record = filled(v1.GetExecutionRequestSchema, { execution_id: executionId, view: "full" });
    try {
      for (;;) {
        for await (const _ of this.#stream(quiet, deadline, options.signal)) {
          // Only the end counts.
        }
        const response = await this.connection.repeat(
          ({ executions }, attempt) => executions.getExecution(record, attempt),
          this.connection.reconnectCall(deadline),
          options.signal,
        );
        const execution = toExecution(response.execution ?? create(v1.ExecutionSchema));
        // Somebody may have let it go on in between.
        if (isTerminal(execution.state)) {
          return execution;
        }
      }
    } catch (error) {
      if (error instanceof DeadlineExceededError && deadline !== undefined && !options.signal?.aborted) {
        throw new DeadlineExceededError(`execution "${executionId}" had not ended after ${seconds} s`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  /**
   * Returns the log of an execution for a `for await` loop, which survives broken connections.
   *
   * It connects again at its cursor by itself, with growing pauses, so nothing is missed and nothing comes twice. Its
   * `lastSequence` is the place to resume from; `finalStatus` is set once the execution has ended. Leaving the loop ends
   * the call on the server.
   *
   * While it is read it throws NotFoundError if there is no such execution, OutOfRangeError if `afterSequence` lies
   * outside the log, UnavailableError if the server was away for longer than `reconnectTimeout`.
   */
  logs(executionId: string, options: LogOptions = {}): LogStream {
    const request = filled(v1.StreamLogsRequestSchema, {
      execution_id: executionId,
      after_sequence: options.afterSequence,
      uid: options.uid,
      tail: options.tail,
      min_level: options.minLevel,
      node_id: options.nodeId,
      follow: options.follow,
    });
    return this.#stream(request, undefined, options.signal);
  }

  #stream(request: v1.StreamLogsRequest, deadline: number | undefined, signal: AbortSignal | undefined): LogStream {
    return new LogStream(
      new LogCursor(request, this.connection.reconnect(deadline)),
      this.connection.connector(({ executions }, asked, attempt) => executions.streamLogs(asked, attempt), signal),
    );
  }

  /**
   * Returns snapshots of an execution for a `for await` loop, which survives broken connections.
   *
   * The first comes at once, then one after each change, the last in its final state. Changes that come faster than they
   * are read are joined. After a break it connects again by itself and begins with a fresh snapshot.
   *
   * While it is read it throws NotFoundError if there is no such execution or it was deleted, UnavailableError if the
   * server was away for longer than `reconnectTimeout`.
   */
  watch(executionId: string, options: WatchOptions = {}): WatchStream {
    const request = filled(v1.WatchExecutionRequestSchema, {
      execution_id: executionId,
      include_tokens: options.includeTokens,
    });
    return new WatchStream(
      new WatchCursor(request, this.connection.reconnect()),
      this.connection.connector(
        ({ executions }, asked, attempt) => executions.watchExecution(asked, attempt),
        options.signal,
      ),
    );
  }

  /** Yields the entries there are now, oldest first, fetched page by page as they are read. */
  listLogs(executionId: string, options: ListLogsOptions = {}): AsyncGenerator<LogEntry, undefined, undefined> {
    return paged((pageToken) => this.listLogsPage(executionId, { pageSize: 1000, ...options, pageToken }));
  }

  /** Returns one page of what `listLogs` yields; for those who hand pages on. */
  async listLogsPage(executionId: string, options: ListLogsOptions & PageOptions = {}): Promise<Page<LogEntry>> {
    const request = filled(v1.ListLogsRequestSchema, {
      execution_id: executionId,
      min_level: options.minLevel,
      node_id: options.nodeId,
      page_size: options.pageSize ?? 100,
      page_token: options.pageToken,
    });
    const response = await this.connection.call(
      ({ executions }, attempt) => executions.listLogs(request, attempt),
      options,
    );
    return { items: response.entries.map(toLogEntry), nextToken: response.nextPageToken };
  }

  /**
   * Yields executions, fetched page by page as they are read; without nodes, definition, input and output. What is added
   * or deleted meanwhile shifts nothing. Throws InvalidArgumentError if the filter or the order cannot be read.
   */
  listExecutions(options: ListExecutionsOptions = {}): AsyncGenerator<Execution, undefined, undefined> {
    return paged((pageToken) => this.listExecutionsPage({ ...options, pageToken }));
  }

  /** Returns one page of what `listExecutions` yields; for those who hand pages on. */
  async listExecutionsPage(options: ListExecutionsOptions & PageOptions = {}): Promise<Page<Execution>> {
    const request = filled(v1.ListExecutionsRequestSchema, {
      filter: options.filter,
      order_by: options.orderBy,
      page_size: options.pageSize ?? 100,
      page_token: options.pageToken,
    });
    const response = await this.connection.call(
      ({ executions }, attempt) => executions.listExecutions(request, attempt),
      options,
    );
    return { items: response.executions.map(toExecution), nextToken: response.nextPageToken };
  }

  /**
   * Pauses an execution: nodes under way finish, none starts.
   *
   * @throws FailedPreconditionError: it is not RUNNING.
   * @throws AbortedError: it is not in `expectedState`.
   */
  async pause(executionId: string, options: ControlOptions = {}): Promise<ExecutionStatus> {
    return await this.#control(executionId, { pause: {} }, options);
  }

  /**
   * Resumes a paused execution.
   *
   * @throws FailedPreconditionError: it is not PAUSED.
   * @throws AbortedError: it is not in `expectedState`.
   */
  async resume(executionId: string, options: ControlOptions = {}): Promise<ExecutionStatus> {
    return await this.#control(executionId, { resume: {} }, options);
  }

  /**
   * Stops an execution: what is under way is cancelled.
   *
   * @throws FailedPreconditionError: it has ended already.
   * @throws AbortedError: it is not in `expectedState`.
   */
  async stop(executionId: string, options: ControlOptions = {}): Promise<ExecutionStatus> {
    return await this.#control(executionId, { stop: {} }, options);
  }

  /**
   * Lets an execution go on from what failed or was stopped; nodes that have finished keep their results.
   *
   * @throws FailedPreconditionError: it is neither FAILED nor STOPPED.
   * @throws InvalidArgumentError: the input does not fit the workflow.
   * @throws ResourceExhaustedError: the queue is full.
   * @throws AbortedError: it is not in `expectedState`.
   */
  async retry(executionId: string, options: RetryExecutionOptions = {}): Promise<ExecutionStatus> {
    return await this.#control(executionId, { retry: { input: options.input } }, options);
  }

  async #control(executionId: string, action: object, options: ControlOptions): Promise<ExecutionStatus> {
    const request = filled(v1.ControlRequestSchema, {
      execution_id: executionId,
      ...action,
      reason: options.reason,
      expected_state: options.expectedState,
      request_id: options.requestId || randomUUID(),
    });
    const response = await this.connection.call(
      ({ executions }, attempt) => executions.control(request, attempt),
      options,
    );
    return statusOf(response);
  }

  /**
   * Removes an execution that has ended, with its journal and its log; its id may be used again.
   *
   * Not repeated by itself, for by then the id may be another execution's: where UnavailableError is thrown it may have
   * taken effect.
   *
   * @throws FailedPreconditionError: it has not ended.
   * @throws NotFoundError: there is no such execution.
   */
  async delete(executionId: string, options: CallOptions = {}): Promise<void> {
    const request = filled(v1.DeleteExecutionRequestSchema, { execution_id: executionId });
    await this.connection.call(
      ({ executions }, attempt) => executions.deleteExecution(request, attempt),
      options,
      false,
    );
  }
}

function statusOf(response: { status?: v1.ExecutionStatus | undefined }): ExecutionStatus {
  return toStatus(response.status ?? create(v1.ExecutionStatusSchema));
}
