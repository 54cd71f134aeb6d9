// Lists an object's maps, programs and globals' sections as cilium/ebpf sees them, as JSON on standard output.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
)

type mapInfo struct {
	Type                                      string
	KeySize, ValueSize, MaxEntries, Flags, Pin uint32
	Key, Value                                string
	Contents                                  int
}

type programInfo struct {
	Type, Section, AttachTo, License string
	Instructions                     int
}

func main() {
	spec, err := ebpf.LoadCollectionSpec(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%+v\n", err)
		os.Exit(1)
	}
	maps := map[string]mapInfo{}
	for name, m := range spec.Maps {
		maps[name] = mapInfo{
			m.Type.String(), m.KeySize, m.ValueSize, m.MaxEntries, m.Flags, uint32(m.Pinning),
			fmt.Sprintf("%v", m.Key), fmt.Sprintf("%v", m.Value), len(m.Contents),
		}
	}
	programs := map[string]programInfo{}
	for name, p := range spec.Programs {
		programs[name] = programInfo{p.Type.String(), p.SectionName, p.AttachTo, p.License, len(p.Instructions)}
	}
	answer := map[string]any{"maps": maps, "programs": programs}
	if len(os.Args) > 2 && os.Args[2] == "load" {
		loaded, err := ebpf.NewCollection(spec)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%+v\n", err)
			os.Exit(1)
		}
		loaded.Close()
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}
