// The calls about workflows and about the server.

import { create } from "@bufbuild/protobuf";
import { Connection, type Services } from "./connection.js";
import { type DefinitionLike, resolveDefinition } from "./definition.js";
import { filled } from "./fill.js";
import type { CallOptions, ClientOptions } from "./options.js";
import { type Page, type PageOptions, paged } from "./pages.js";
import * as v1 from "./v1.js";
import {
  type NodeType,
  type ServerInfo,
  toNodeType,
  toServerInfo,
  toValidation,
  toWorkflow,
  type Validation,
  type Workflow,
} from "./workflow-models.js";

export interface GetWorkflowOptions extends CallOptions {
  /** The version; without it the newest. */
  readonly version?: string | undefined;
}

export interface ListWorkflowsOptions extends CallOptions {
  /** List the versions of this workflow; without it the newest version of each. */
  readonly workflowId?: string | undefined;
  /** How many to fetch at once, up to 1,000. */
  readonly pageSize?: number | undefined;
}

/** A connection, and the calls that are not about executions. */
export class WorkflowClient {
  /** @internal */
  protected readonly connection: Connection;

  /**
   * Prepares a client; the connection is opened by the first call, and again whenever it breaks.
   *
   * @throws InvalidArgumentError where the options cannot be used.
   */
  constructor(options: ClientOptions = {}) {
    this.connection = new Connection(options);
  }

  /** The generated services on this connection. They throw Connect's errors, and repeat nothing. */
  get services(): Services {
    return this.connection.services;
  }

  /** Closes the connection; calls and streams under way end with CancelledError. May be called again. */
  close(): void {
    this.connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /**
   * Checks a definition; one with problems is an answer, not an error.
   *
   * @throws DefinitionError where it cannot even be read.
   */
  async validate(definition: DefinitionLike, options: CallOptions = {}): Promise<Validation> {
    const request = create(v1.ValidateWorkflowRequestSchema, { definition: await resolveDefinition(definition) });
    return toValidation(
      await this.connection.call(({ workflows }, attempt) => workflows.validateWorkflow(request, attempt), options),
    );
  }

  /**
   * Stores a definition as the newest version of a workflow; the same definition again answers the version there is.
   *
   * @throws InvalidArgumentError with every problem in `fieldViolations`.
   */
  async createWorkflow(workflowId: string, definition: DefinitionLike, options: CallOptions = {}): Promise<Workflow> {
    const resolved = await resolveDefinition(definition);
    const request = filled(v1.CreateWorkflowRequestSchema, { workflow_id: workflowId, definition: resolved });
    const response = await this.connection.call(
      ({ workflows }, attempt) => workflows.createWorkflow(request, attempt),
      options,
    );
    return toWorkflow(response.workflow ?? create(v1.WorkflowSchema), response.created);
  }

  /** Returns a version of a stored workflow. Throws NotFoundError if there is none. */
  async getWorkflow(workflowId: string, options: GetWorkflowOptions = {}): Promise<Workflow> {
    const request = filled(v1.GetWorkflowRequestSchema, { workflow_id: workflowId, version: options.version });
    const response = await this.connection.call(
      ({ workflows }, attempt) => workflows.getWorkflow(request, attempt),
      options,
    );
    return toWorkflow(response.workflow ?? create(v1.WorkflowSchema));
  }

  /** Yields stored workflows without their definitions, newest first, fetched page by page as they are read. */
  listWorkflows(options: ListWorkflowsOptions = {}): AsyncGenerator<Workflow, undefined, undefined> {
    return paged((pageToken) => this.listWorkflowsPage({ ...options, pageToken }));
  }

  /** Returns one page of what `listWorkflows` yields; for those who hand pages on. */
  async listWorkflowsPage(options: ListWorkflowsOptions & PageOptions = {}): Promise<Page<Workflow>> {
    const request = filled(v1.ListWorkflowsRequestSchema, {
      workflow_id: options.workflowId,
      page_size: options.pageSize ?? 100,
      page_token: options.pageToken,
    });
    const response = await this.connection.call(
      ({ workflows }, attempt) => workflows.listWorkflows(request, attempt),
      options,
    );
    return { items: response.workflows.map((workflow) => toWorkflow(workflow)), nextToken: response.nextPageToken };
  }

  /** Returns the node types that the server runs. */
  async nodeTypes(options: CallOptions = {}): Promise<NodeType[]> {
    const response = await this.connection.call(
      ({ workflows }, attempt) => workflows.listNodeTypes({}, attempt),
      options,
    );
    return response.nodeTypes.map(toNodeType);
  }

  /** Returns what the server is and allows. */
  async serverInfo(options: CallOptions = {}): Promise<ServerInfo> {
    return toServerInfo(
      await this.connection.call(({ server }, attempt) => server.getServerInfo({}, attempt), options),
    );
  }
}
