package localaws

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The architectures of images and instance types.
const (
	archX86 = "x86_64"
	archARM = "arm64"
)

// instanceType is one size of one family.
type instanceType struct {
	name   string
	vcpus  int
	memory int // MiB
	arch   string
}

// families are the instance families that exist here, with their GiB of memory for each vCPU. Real EC2 has more; an
// unknown type is refused as EC2 refuses a type that does not exist.
var families = []struct {
	name   string
	arch   string
	perCPU int
}{
	{"t3", archX86, 0}, {"t3a", archX86, 0}, {"t4g", archARM, 0},
	{"m5", archX86, 4}, {"m6i", archX86, 4}, {"m7i", archX86, 4}, {"m6g", archARM, 4}, {"m7g", archARM, 4}, {"m8g", archARM, 4},
	{"c5", archX86, 2}, {"c6i", archX86, 2}, {"c7i", archX86, 2}, {"c6g", archARM, 2}, {"c7g", archARM, 2}, {"c8g", archARM, 2},
	{"r5", archX86, 8}, {"r6i", archX86, 8}, {"r7i", archX86, 8}, {"r6g", archARM, 8}, {"r7g", archARM, 8}, {"r8g", archARM, 8},
}

// sizes are the sizes of the families that are not burstable, with their vCPUs; medium exists on Graviton alone, and c5
// has other large sizes.
var sizes = []struct {
	name  string
	vcpus int
}{{"medium", 1}, {"large", 2}, {"xlarge", 4}, {"2xlarge", 8}, {"4xlarge", 16}, {"8xlarge", 32}, {"12xlarge", 48}, {"16xlarge", 64}}

// burstable are the sizes of the t families, which have 2 vCPUs up to large.
var burstable = []struct {
	name          string
	vcpus, memory int
}{{"nano", 2, 512}, {"micro", 2, 1024}, {"small", 2, 2048}, {"medium", 2, 4096}, {"large", 2, 8192}, {"xlarge", 4, 16384}, {"2xlarge", 8, 32768}}

var instanceTypes = allInstanceTypes()

func allInstanceTypes() map[string]instanceType {
	all := map[string]instanceType{}
	add := func(t instanceType) { all[t.name] = t }
	for _, f := range families {
		if f.perCPU == 0 {
			for _, s := range burstable {
				add(instanceType{f.name + "." + s.name, s.vcpus, s.memory, f.arch})
			}
			continue
		}
		for _, s := range sizes {
			if s.name == "medium" && f.arch != archARM || f.name == "c5" && (s.name == "8xlarge" || s.name == "16xlarge") {
				continue
			}
			add(instanceType{f.name + "." + s.name, s.vcpus, s.vcpus * f.perCPU * 1024, f.arch})
		}
	}
	return all
}

// instanceTypeXML is one type as DescribeInstanceTypes answers it, in what schedulers of servers read.
type instanceTypeXML struct {
	Name       string `xml:"instanceType"`
	Current    bool   `xml:"currentGeneration"`
	FreeTier   bool   `xml:"freeTierEligible"`
	BareMetal  bool   `xml:"bareMetal"`
	Hypervisor string `xml:"hypervisor"`
	Processor  struct {
		Architectures items[string] `xml:"supportedArchitectures"`
	} `xml:"processorInfo"`
	VCPU struct {
		Default int `xml:"defaultVCpus"`
	} `xml:"vCpuInfo"`
	Memory struct {
		MiB int `xml:"sizeInMiB"`
	} `xml:"memoryInfo"`
	Burstable bool `xml:"burstablePerformanceSupported"`
}

func (t instanceType) xml() instanceTypeXML {
	x := instanceTypeXML{Name: t.name, Current: true, Hypervisor: "nitro", Burstable: strings.HasPrefix(t.name, "t")}
	x.Processor.Architectures = itemsOf([]string{t.arch})
	x.VCPU.Default, x.Memory.MiB = t.vcpus, t.memory
	return x
}

var typeFilters = filterable[instanceType]{fields: map[string]func(instanceType) []string{
	"instance-type":                         func(t instanceType) []string { return []string{t.name} },
	"processor-info.supported-architecture": func(t instanceType) []string { return []string{t.arch} },
	"current-generation":                    func(instanceType) []string { return []string{"true"} },
}}

// maxTypes is how many types one call may name, and how many a page has (the model of DescribeInstanceTypes).
const maxTypes = 100

var describeInstanceTypes = operation{
	params: []string{"DryRun:bool", "InstanceType.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults:int", "NextToken"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		keep, err := typeFilters.compile(q)
		if err != nil {
			return nil, err
		}
		if err := q.byIDOrPaged("InstanceType", "instanceTypeSet"); err != nil {
			return nil, err
		}
		names := q.list("InstanceType")
		if len(names) > maxTypes {
			return nil, refuse("InvalidParameterValue", "At most %d instance types can be named in one call", maxTypes)
		}
		if names == nil {
			names = slices.Sorted(maps.Keys(instanceTypes))
		}
		list := []instanceTypeXML{}
		var unknown []string
		for _, name := range names {
			if t, ok := instanceTypes[name]; !ok {
				unknown = append(unknown, name)
			} else if keep(t) {
				list = append(list, t.xml())
			}
		}
		if unknown != nil {
			return nil, refuse("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
		}
		slices.SortFunc(list, func(a, b instanceTypeXML) int { return cmp.Compare(a.Name, b.Name) })
		list, next, err := pageWithin(q, list, func(t instanceTypeXML) string { return t.Name }, minPage, maxTypes)
		if err != nil {
			return nil, err
		}
		return struct {
			Types items[instanceTypeXML] `xml:"instanceTypeSet"`
			Next  string                 `xml:"nextToken,omitempty"`
		}{itemsOf(list), next}, nil
	},
}

// offering is one type in one place: the Region, or a zone by name or id.
type offering struct {
	Type  string `xml:"instanceType"`
	Kind  string `xml:"locationType"`
	Place string `xml:"location"`
}

var offeringFilters = filterable[offering]{fields: map[string]func(offering) []string{
	"instance-type": func(o offering) []string { return one(o.Type) },
	"location":      func(o offering) []string { return one(o.Place) },
}}

var describeInstanceTypeOfferings = operation{
	params: []string{"DryRun:bool", "LocationType", "Filter.N.Name", "Filter.N.Value.N", "MaxResults:int", "NextToken"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		keep, err := offeringFilters.compile(q)
		if err != nil {
			return nil, err
		}
		list, err := q.offerings(cmp.Or(q.str("LocationType"), "region"))
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(o offering) bool { return !keep(o) })
		list, next, err := page(q, list, func(o offering) string { return o.Type + " " + o.Place })
		if err != nil {
			return nil, err
		}
		return struct {
			Set  items[offering] `xml:"instanceTypeOfferingSet"`
			Next string          `xml:"nextToken,omitempty"`
		}{itemsOf(list), next}, nil
	},
}

// offerings are all types wherever they are offered, by type and place. A Region offers what any of its zones does.
func (q *call) offerings(kind string) (list []offering, err *apiError) {
	place := map[string]func(string) string{
		"region":               func(string) string { return q.realm.region },
		"availability-zone":    func(zone string) string { return zone },
		"availability-zone-id": zoneID,
	}[kind]
	if place == nil {
		return nil, refuse("InvalidParameterValue", "Value (%s) for parameter locationType is invalid.", kind)
	}
	for _, name := range slices.Sorted(maps.Keys(instanceTypes)) {
		for _, zone := range q.realm.zones {
			if !q.realm.withheld[capacityKey{name, zone}] {
				list = append(list, offering{name, kind, place(zone)})
			}
		}
	}
	return slices.Compact(list), nil
}
