package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// serveBatch answers POST /v1/kv. A batch with something wrong in it is refused whole, before anything is done; an
// operation that fails when it is done fails alone.
func (k keys) serveBatch(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	var body wire.KVBatchRequest
	if err := readJSON(w, r, maxBatchBody, &body, false); err != nil {
		return err
	}
	if n := len(body.Operations); n == 0 || n > wire.MaxBatchOperations {
		return Invalid("operations", "must have from 1 to %d elements", wire.MaxBatchOperations)
	}
	ops := make([]Operation, len(body.Operations))
	for i := range body.Operations {
		var err error
		if ops[i], err = operation(tenantOf(w), &body.Operations[i]); err != nil {
			return within(fmt.Sprintf("operations[%d]", i), err)
		}
	}
	out := make([]Outcome, len(ops))
	if err := k.batch.BatchKeys(r.Context(), tenantOf(w), ops, out); err != nil {
		return err
	}
	answer := wire.KVBatchResponse{Results: make([]wire.KVResult, len(ops))}
	for i := range ops {
		answer.Results[i] = result(&ops[i], &out[i])
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// operation checks one operation, and that it has no members another kind of operation would have.
func operation(tenant string, in *wire.KVOperation) (op Operation, err error) {
	op = Operation{Op: in.Op, Put: Put{Tenant: tenant, Key: in.Key}}
	if err := checkName("key", in.Key, wire.MaxKeyBytes); err != nil {
		return op, err
	}
	if err := foreignMember(in); err != nil {
		return op, err
	}
	switch in.Op {
	case wire.OpGet:
		return op, nil
	case wire.OpIncrement:
		op.By, err = checkBy(in.By)
		return op, err
	case wire.OpPut:
		if err := putOperation(in, &op.Put); err != nil {
			return op, err
		}
	case wire.OpDelete:
	default:
		return op, Invalid("op", "must be get, put, delete or increment")
	}
	if op.Put.Cond.Match, err = memberTags("if_match", in.IfMatch); err != nil {
		return op, err
	}
	op.Put.Cond.NoneMatch, err = memberTags("if_none_match", in.IfNoneMatch)
	return op, err
}

// foreignMember refuses members that have no meaning for the operation.
func foreignMember(in *wire.KVOperation) error {
	put, del, inc := in.Op == wire.OpPut, in.Op == wire.OpDelete, in.Op == wire.OpIncrement
	for _, m := range []struct {
		name    string
		present bool
		allowed bool
	}{
		{"value", in.Text != nil, put},
		{"value_base64", in.Base64 != nil, put},
		{"content_type", in.ContentType != "", put},
		{"ttl_seconds", in.TTLSeconds != nil, put},
		{"by", in.By != nil, inc},
		{"if_match", in.IfMatch != "", put || del},
		{"if_none_match", in.IfNoneMatch != "", put || del},
	} {
		if m.present && !m.allowed && knownOp(in.Op) {
			return Invalid(m.name, "has no meaning for %s", in.Op)
		}
	}
	return nil
}

func knownOp(op string) bool {
	return op == wire.OpGet || op == wire.OpPut || op == wire.OpDelete || op == wire.OpIncrement
}

// putOperation reads what a put stores.
func putOperation(in *wire.KVOperation, p *Put) (err error) {
	switch {
	case in.Text != nil && in.Base64 != nil:
		return Invalid("value_base64", "does not go with value")
	case in.Text != nil:
		p.Value = []byte(*in.Text)
	case in.Base64 != nil:
		if p.Value, err = base64.StdEncoding.DecodeString(*in.Base64); err != nil {
			return Invalid("value_base64", "is not base64")
		}
	default:
		return Invalid("value", "is missing")
	}
	if len(p.Value) > wire.MaxValueBytes {
		return &FieldError{Field: "value", Reason: fmt.Sprintf("is larger than %d bytes", wire.MaxValueBytes), Kind: ErrTooLarge}
	}
	if in.TTLSeconds != nil {
		if *in.TTLSeconds < 1 || *in.TTLSeconds > maxTTL {
			return Invalid("ttl_seconds", "must be a whole number from 1 to %d", maxTTL)
		}
		p.TTL = time.Duration(*in.TTLSeconds) * time.Second
	}
	p.ContentType = in.ContentType
	if in.Text != nil && p.ContentType == "" {
		p.ContentType = "text/plain; charset=utf-8"
	}
	p.ContentType, err = storedType("content_type", p.ContentType)
	return err
}

func memberTags(field, value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	return parseTags(field, []string{value})
}

// result is what the same request alone would have been answered.
func result(op *Operation, out *Outcome) wire.KVResult {
	res := wire.KVResult{Key: op.Put.Key}
	if out.Err != nil {
		p, _ := problemOf(out.Err)
		res.Status, res.Problem = p.Status, &p
		return res
	}
	switch op.Op {
	case wire.OpGet:
		res.Status = http.StatusOK
		res.Value = content(&out.Record)
		if !out.Record.Counter {
			res.ContentType, res.ETag = typeOf(out.Record), etag(out.Record.Version)
			res.ExpiresAt = instant(out.Record.ExpiresAt)
		}
	case wire.OpIncrement:
		res.Status = http.StatusOK
		res.Value = wire.Value{Counter: &out.Record.Number}
	case wire.OpPut:
		res.Status, res.ETag = createdOr(http.StatusNoContent, out.Written), etag(out.Written.Version)
	case wire.OpDelete:
		res.Status = http.StatusNoContent
	}
	return res
}
