package awsmodel

import (
	_ "embed" // newer.json
	"encoding/json"
	"fmt"
	"maps"
	"sync"
)

// newerJSON is what AWS has added since the models that Debian 12 ships (botocore of January 2023), as far as it is answered here,
// in the form of those files and copied from botocore 1.43. A model that has it itself is left as it is.
//
//go:embed newer.json
var newerJSON []byte

var newerModels = sync.OnceValues(func() (map[string]rawModel, error) {
	var newer map[string]rawModel
	err := json.Unmarshal(newerJSON, &newer)
	return newer, err
})

// addNewer gives a model the members, values and shapes that it is too old to have.
func addNewer(service string, raw *rawModel) error {
	newer, err := newerModels()
	if err != nil {
		return fmt.Errorf("newer.json: %w", err)
	}
	for name, addition := range newer[service].Shapes {
		s := raw.Shapes[name]
		if s == nil {
			raw.Shapes[name] = addition
			continue
		}
		members := maps.Clone(addition.Members)
		maps.Copy(members, s.Members)
		s.Members = members
		if len(s.Enum) > 0 { // without values it takes any
			s.Enum = append(s.Enum, addition.Enum...)
		}
	}
	for name, addition := range newer[service].Operations {
		if op, ok := raw.Operations[name]; ok {
			op.Errors = append(op.Errors, addition.Errors...)
			raw.Operations[name] = op
		}
	}
	return nil
}
