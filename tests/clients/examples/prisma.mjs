// Prisma with its adapter for pg: work is done in an interactive transaction that begins with the token.

import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "@prisma/client"; // what `prisma generate` makes of schema.prisma

const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL }); // a login that inherits identity_app
export const prisma = new PrismaClient({ adapter });

export const signedIn = (token, work) =>
  prisma.$transaction(async (tx) => {
    await tx.$executeRaw`select identity.authenticate(${token})`;
    return work(tx);
  });

export const notesOf = (token) => signedIn(token, (tx) => tx.note.findMany({ select: { body: true }, orderBy: { body: "asc" } }));

// What follows is the test.
if (process.argv[1] === import.meta.filename) {
  const { default: assert } = await import("node:assert/strict");
  const { ALICE_TOKEN, BOB_SUB, BOB_TOKEN } = process.env;
  assert.deepEqual(await notesOf(ALICE_TOKEN), [{ body: "of Alice" }]);
  assert.deepEqual(await prisma.note.findMany(), [], "the pooled connection kept somebody");
  const made = await signedIn(BOB_TOKEN, (tx) => tx.note.create({ data: { body: "another" } }));
  assert.equal(made.userId, BOB_SUB);
  assert.deepEqual(await notesOf(BOB_TOKEN), [{ body: "another" }, { body: "of Bob" }]);
  // Both at once, each on a connection of its own.
  const both = await Promise.all([notesOf(ALICE_TOKEN), notesOf(BOB_TOKEN)]);
  assert.deepEqual(both.map((rows) => rows.length), [1, 2]);
  await assert.rejects(notesOf("x"), /ID101/);
  await assert.rejects(signedIn(ALICE_TOKEN, (tx) => tx.note.create({ data: { body: "x", userId: BOB_SUB } })), /row-level security/);
  await prisma.$disconnect();
  console.log("prisma: all good");
}
