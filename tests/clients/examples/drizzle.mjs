// Drizzle with pg: work is done in a transaction that begins with the token.

import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { pgTable, text, uuid } from "drizzle-orm/pg-core";

export const db = drizzle(process.env.DATABASE_URL); // a login that inherits identity_app
const notes = pgTable("notes", { userId: uuid("user_id").default(sql`identity.user_id()`), body: text("body") });

export const signedIn = (token, work) =>
  db.transaction(async (tx) => {
    await tx.execute(sql`select identity.authenticate(${token})`);
    return work(tx);
  });

export const notesOf = (token) => signedIn(token, (tx) => tx.select({ body: notes.body }).from(notes).orderBy(notes.body));

// What follows is the test.
if (process.argv[1] === import.meta.filename) {
  const { default: assert } = await import("node:assert/strict");
  const { ALICE_TOKEN, BOB_TOKEN } = process.env;
  assert.deepEqual(await notesOf(ALICE_TOKEN), [{ body: "of Alice" }]);
  assert.deepEqual(await db.select({ body: notes.body }).from(notes), [], "the pooled connection kept somebody");
  await signedIn(BOB_TOKEN, (tx) => tx.insert(notes).values({ body: "another" }));
  assert.deepEqual(await notesOf(BOB_TOKEN), [{ body: "another" }, { body: "of Bob" }]);
  // Both at once, each on a connection of its own.
  const both = await Promise.all([notesOf(ALICE_TOKEN), notesOf(BOB_TOKEN)]);
  assert.deepEqual(both.map((rows) => rows.length), [1, 2]);
  await assert.rejects(notesOf("x"), (error) => (error.cause ?? error).code === "ID101");
  await db.$client.end();
  console.log("drizzle: all good");
}
