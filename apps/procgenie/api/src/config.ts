/** Settings from the environment, read once. */

export type Level = "debug" | "info" | "warn" | "error";

export interface Config {
  port: number;
  logLevel: Level;
  database: { host: string; port: number; name: string; user: string; password: string; logging: boolean };
  redis: { host: string; port: number; password: string };
  /** Requests up to this amount are approved without a person. */
  autoApproveCents: number;
}

const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** Throws an Error that names the variable when a value cannot be. */
export function configFrom(env: NodeJS.ProcessEnv): Config {
  return {
    port: number(env, "PORT", 4000),
    logLevel: level(env["LOG_LEVEL"] || "info"),
    database: {
      host: env["DB_HOST"] || "localhost",
      port: number(env, "DB_PORT", 5432),
      name: env["DB_NAME"] || "procgenie",
      user: env["DB_USER"] || "procgenie",
      password: env["DB_PASSWORD"] ?? "",
      logging: env["DB_LOGGING"] === "true",
    },
    redis: {
      host: env["REDIS_HOST"] || "localhost",
      port: number(env, "REDIS_PORT", 6379),
      password: env["REDIS_PASSWORD"] ?? "",
    },
    autoApproveCents: number(env, "AUTO_APPROVE_CENTS", 100_000),
  };
}

export const config = configFrom(process.env);

function number(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const value = env[name] ? Number(env[name]) : otherwise;
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name} is not a whole number: ${env[name]}`);
  return value;
}

function level(value: string): Level {
  if (!LEVELS.includes(value as Level)) throw new Error(`LOG_LEVEL is none of ${LEVELS.join(", ")}: ${value}`);
  return value as Level;
}
