// pgx: a transaction that begins with the token. (Not run by the tests.)

package notes

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func SignedIn(ctx context.Context, pool *pgxpool.Pool, token string, work func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select identity.authenticate($1)", token); err != nil {
			return err
		}
		return work(tx)
	})
}
