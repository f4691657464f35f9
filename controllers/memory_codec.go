package controllers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/rollout"
)

// The text in the annotation slipway.dev/memory: JSON with sorted keys, without empty values. The names below are a
// contract with every earlier and later version of Slipway: never rename one, never give an old one another meaning.
//
// Its size is bounded by the fleet: a server's id appears at most once in the cohort and once in an attempt, and the core
// forgets attempts that nothing is left of. 1000 servers in 1000 attempts are about 220 KiB; annotations may have 256 KiB.

// memoryNote is what is remembered of one revision, apart from what the ControllerRevision itself says.
type memoryNote struct {
	StableSeq int64         `json:"stableSeq,omitempty"`
	Completed bool          `json:"completed,omitempty"`
	Retired   bool          `json:"retired,omitempty"`
	Verdict   verdictNote   `json:"verdict,omitzero"`
	Promotion promotionNote `json:"promotion,omitzero"`
	GateAt    time.Time     `json:"gateAt,omitzero"`
	LiveAt    time.Time     `json:"liveAt,omitzero"`
	Ready     stopwatchNote `json:"ready,omitzero"`
	Retry     string        `json:"retry,omitempty"`
	Stopped   time.Time     `json:"stopped,omitzero"`
	Pools     []string      `json:"pools,omitempty"`
	Left      []leaveNote   `json:"left,omitempty"`
	Launches  []attemptNote `json:"launches,omitempty"`
	Adopted   []string      `json:"adopted,omitempty"`
	AdoptedAt time.Time     `json:"adoptedAt,omitzero"`
}

type verdictNote struct {
	Reason string    `json:"reason,omitempty"`
	Why    string    `json:"why,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

type promotionNote struct {
	StartedAt time.Time `json:"startedAt,omitzero"`
	Cohort    []string  `json:"cohort,omitempty"`
	Pools     []string  `json:"pools,omitempty"`
}

func (n promotionNote) IsZero() bool {
	return n.StartedAt.IsZero() && len(n.Cohort) == 0 && len(n.Pools) == 0
}

type leaveNote struct {
	Pools   []string  `json:"pools,omitempty"`
	Servers []string  `json:"servers,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

type stopwatchNote struct {
	SpentNanoseconds int64     `json:"spentNanoseconds,omitempty"`
	Since            time.Time `json:"since,omitzero"`
}

type attemptNote struct {
	Number   int         `json:"number"`
	Token    string      `json:"token,omitempty"`
	Subnet   string      `json:"subnet,omitempty"`
	Type     string      `json:"type,omitempty"`
	Role     string      `json:"role,omitempty"`
	Places   []int       `json:"places,omitempty"`
	At       time.Time   `json:"at,omitzero"`
	Open     bool        `json:"open,omitempty"`
	Servers  []string    `json:"servers,omitempty"`
	Failure  failureNote `json:"failure,omitzero"`
	Pardoned bool        `json:"pardoned,omitempty"`
	Ended    []string    `json:"ended,omitempty"`
	Words    string      `json:"lastWords,omitempty"`
}

type failureNote struct {
	Kind    string `json:"kind,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// encodeMemory writes what is remembered of a revision. stored is the text that it replaces: what a newer version of
// Slipway wrote there and this one does not know is kept. The text is empty when there is nothing to remember.
func encodeMemory(revision rollout.Revision, stored string) (string, error) {
	fresh, err := jsonTree(noteOf(revision))
	if err != nil {
		return "", err
	}
	if stored != "" {
		var note memoryNote
		if err := json.Unmarshal([]byte(stored), &note); err != nil {
			return "", err
		}
		understood, err := jsonTree(note)
		if err != nil {
			return "", err
		}
		before, err := jsonTree(json.RawMessage(stored))
		if err != nil {
			return "", err
		}
		keepUnknown(before, understood, fresh)
	}
	if len(fresh) == 0 {
		return "", nil
	}
	text, err := json.Marshal(fresh)
	return string(text), err
}

// decodedRevisions are ControllerRevisions in our own types, by uid.
type decodedRevisions map[types.UID]*decodedRevision

// decodedRevision is shared by the passes over its Release, and not to be changed.
type decodedRevision struct {
	data   revisionData // holds nothing but Lost where it records no revision
	text   string       // of the annotation
	memory rollout.Revision
	err    error // of decoding the text
}

// of decodes what was not decoded yet. The data never changes, the annotation does.
func (d decodedRevisions) of(stored *appsv1.ControllerRevision) *decodedRevision {
	known := d[stored.UID]
	if known == nil {
		known = &decodedRevision{}
		var err error
		if known.data, err = decodeRevision(stored); err != nil {
			known.data = revisionData{Lost: stored.Name}
		}
		d[stored.UID] = known
	}
	if text := stored.Annotations[annotationMemory]; text != known.text {
		known.text, known.memory = text, rollout.Revision{}
		known.err = decodeMemory(text, &known.memory)
	}
	return known
}

// keep forgets all but these.
func (d decodedRevisions) keep(revisions []appsv1.ControllerRevision) {
	maps.DeleteFunc(d, func(uid types.UID, _ *decodedRevision) bool {
		return !slices.ContainsFunc(revisions, func(r appsv1.ControllerRevision) bool { return r.UID == uid })
	})
}

// decodeMemory adds to the revision what the text remembers of it.
func decodeMemory(stored string, revision *rollout.Revision) error {
	if stored == "" {
		return nil
	}
	var note memoryNote
	if err := json.Unmarshal([]byte(stored), &note); err != nil {
		return fmt.Errorf("annotation %s: %w", annotationMemory, err)
	}
	revision.StableSeq, revision.Completed, revision.Retired = note.StableSeq, note.Completed, note.Retired
	revision.Verdict = rollout.Verdict(note.Verdict)
	revision.Promotion = rollout.Promotion(note.Promotion)
	revision.GateAt, revision.LiveAt, revision.Stopped = note.GateAt, note.LiveAt, note.Stopped
	revision.Ready = rollout.Stopwatch{Spent: time.Duration(note.Ready.SpentNanoseconds), Since: note.Ready.Since}
	revision.Retry, revision.Pools, revision.Left = note.Retry, note.Pools, nil
	for _, e := range note.Left {
		revision.Left = append(revision.Left, rollout.Leave(e))
	}
	revision.Adopted, revision.AdoptedAt = note.Adopted, note.AdoptedAt
	revision.Launches = nil
	for _, a := range note.Launches {
		revision.Launches = append(revision.Launches, rollout.Attempt{
			Number: a.Number, Token: a.Token, Subnet: a.Subnet, Type: a.Type, Role: rollout.Role(a.Role), Places: a.Places,
			At: a.At, Open: a.Open, Servers: a.Servers,
			Failure:  rollout.Failure{Kind: rollout.FailureKind(a.Failure.Kind), Reason: a.Failure.Reason, Message: a.Failure.Message},
			Pardoned: a.Pardoned, Ended: a.Ended, LastWords: a.Words,
		})
	}
	return nil
}

// noteOf takes from a revision what goes into the annotation. Times are kept in UTC, so that equal memories are equal
// texts.
func noteOf(r rollout.Revision) memoryNote {
	note := memoryNote{
		StableSeq: r.StableSeq, Completed: r.Completed, Retired: r.Retired,
		Verdict: verdictNote{Reason: r.Verdict.Reason, Why: r.Verdict.Why, At: utc(r.Verdict.At)},
		Promotion: promotionNote{
			StartedAt: utc(r.Promotion.StartedAt), Cohort: r.Promotion.Cohort, Pools: r.Promotion.Pools,
		},
		GateAt: utc(r.GateAt), LiveAt: utc(r.LiveAt), Stopped: utc(r.Stopped),
		Ready: stopwatchNote{SpentNanoseconds: int64(r.Ready.Spent), Since: utc(r.Ready.Since)},
		Retry: r.Retry, Pools: r.Pools,
		Adopted: r.Adopted, AdoptedAt: utc(r.AdoptedAt),
	}
	for _, e := range r.Left {
		note.Left = append(note.Left, leaveNote{Pools: e.Pools, Servers: e.Servers, Until: utc(e.Until)})
	}
	for _, a := range r.Launches {
		note.Launches = append(note.Launches, attemptNote{
			Number: a.Number, Token: a.Token, Subnet: a.Subnet, Type: a.Type, Role: string(a.Role), Places: a.Places,
			At: utc(a.At), Open: a.Open, Servers: a.Servers,
			Failure:  failureNote{Kind: string(a.Failure.Kind), Reason: a.Failure.Reason, Message: a.Failure.Message},
			Pardoned: a.Pardoned, Ended: a.Ended, Words: a.LastWords,
		})
	}
	return note
}

// utc drops zone and monotonic clock; the zero time stays the zero time.
func utc(at time.Time) time.Time { return at.Round(0).UTC() }

// jsonTree is the value as encoding/json sees it.
func jsonTree(value any) (map[string]any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree map[string]any
	err = decoder.Decode(&tree)
	return tree, err
}

// keepUnknown copies into fresh what before has and understood has not: the fields that this version does not know.
func keepUnknown(before, understood, fresh map[string]any) {
	for key, old := range before {
		known, isKnown := understood[key]
		now, isThere := fresh[key]
		switch old := old.(type) {
		case map[string]any:
			inner, _ := known.(map[string]any)
			if now, ok := now.(map[string]any); ok {
				keepUnknown(old, inner, now)
				continue
			}
		case []any:
			inner, _ := known.([]any)
			if now, ok := now.([]any); ok {
				keepUnknownInList(old, inner, now)
				continue
			}
		}
		if !isKnown && !isThere {
			fresh[key] = old
		}
	}
}

// keepUnknownInList does the same for the attempts of a list, which are told apart by their number.
func keepUnknownInList(before, understood, fresh []any) {
	numbered := map[any]map[string]any{}
	for _, entry := range fresh {
		if entry, ok := entry.(map[string]any); ok {
			numbered[entry["number"]] = entry
		}
	}
	for i, entry := range before {
		old, isObject := entry.(map[string]any)
		if !isObject || i >= len(understood) {
			continue
		}
		known, _ := understood[i].(map[string]any)
		if now := numbered[old["number"]]; now != nil {
			keepUnknown(old, known, now)
		}
	}
}
