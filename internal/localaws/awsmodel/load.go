package awsmodel

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Models are the service models of one folder, which lies in it as botocore has it: ec2/2016-11-15/service-2.json, or the same
// with .gz. Each is read when it is first asked for. Safe for concurrent use.
type Models struct {
	folder string

	mu       sync.Mutex
	services map[string]*Service
}

// Open says that the models lie in a folder; it fails where there is none.
func Open(folder string) (*Models, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return nil, fmt.Errorf("AWS's models: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("AWS's models: %s is not a folder", folder)
	}
	return &Models{folder: folder, services: map[string]*Service{}}, nil
}

// Service is the model of a service in one API version: Service("ec2", "2016-11-15").
func (m *Models) Service(name, version string) (*Service, error) {
	return m.service(name, version, false)
}

// JSONService is the same for the answers of a service that has come to speak JSON 1.0 too, or instead: every member has the name of
// the model, and every error that of its shape.
func (m *Models) JSONService(name, version string) (*Service, error) {
	return m.service(name, version, true)
}

func (m *Models) service(name, version string, asJSON bool) (*Service, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := name + "/" + version
	if asJSON {
		key += "/json"
	}
	if s := m.services[key]; s != nil {
		return s, nil
	}
	raw, err := readModel(filepath.Join(m.folder, name, version, "service-2.json"))
	if err != nil {
		return nil, fmt.Errorf("AWS's model of %s %s: %w", name, version, err)
	}
	if err := addNewer(name, raw); err != nil {
		return nil, err
	}
	if asJSON {
		raw.speakJSON()
	}
	s, err := compile(raw)
	if err != nil {
		return nil, fmt.Errorf("AWS's model of %s %s: %w", name, version, err)
	}
	m.services[key] = s
	return s, nil
}

func readModel(file string) (*rawModel, error) {
	f, err := os.Open(file)
	packed := errors.Is(err, fs.ErrNotExist)
	if packed {
		f, err = os.Open(file + ".gz")
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var in io.Reader = f
	if packed {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	var raw rawModel
	if err := json.NewDecoder(in).Decode(&raw); err != nil {
		return nil, err
	}
	return &raw, nil
}

// rawModel is the part of service-2.json that matters here.
type rawModel struct {
	Metadata struct {
		Protocol, XMLNamespace, JSONVersion string
		Protocols                           []string // all that the service speaks, in newer models
	}
	Operations map[string]rawOperation
	Shapes     map[string]*rawShape

	moved bool // by speakJSON
}

type rawOperation struct {
	Input, Output *rawRef
	Errors        []rawRef
}

// rawRef names a shape, and says how it is spelled where it stands.
type rawRef struct {
	Shape, LocationName, QueryName, ResultWrapper, TimestampFormat string
	Flattened                                                      bool
}

type rawShape struct {
	Type, TimestampFormat string
	Members               map[string]rawRef
	Required              []string
	Enum                  []string
	Member, Key, Value    *rawRef
	Flattened             bool
	Exception             bool
	Error                 struct {
		Code           string
		HTTPStatusCode int
	}
}

// speakJSON rewrites a model of another protocol: JSON knows neither names of their own for members on the wire, nor codes of errors.
func (r *rawModel) speakJSON() {
	r.moved = true
	r.Metadata.Protocol, r.Metadata.JSONVersion = protocolJSON, "1.0"
	for _, s := range r.Shapes {
		s.Error.Code = ""
		for name, ref := range s.Members {
			ref.LocationName = ""
			s.Members[name] = ref
		}
	}
}
