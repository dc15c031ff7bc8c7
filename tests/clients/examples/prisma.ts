// Prisma: an interactive transaction that begins with the token. (Not run by the tests; the others of Node are.)

import { PrismaClient, type Prisma } from "@prisma/client";

const prisma = new PrismaClient(); // DATABASE_URL: a login that inherits identity_app

export const signedIn = <T>(token: string, work: (tx: Prisma.TransactionClient) => Promise<T>) =>
  prisma.$transaction(async (tx) => {
    await tx.$executeRaw`select identity.authenticate(${token})`;
    return work(tx);
  });

export const notesOf = (token: string) => signedIn(token, (tx) => tx.note.findMany());
