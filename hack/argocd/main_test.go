package main

import (
	"os"
	"testing"
)

// The ConfigMap is what the folder says.
func TestThePatchIsUpToDate(t *testing.T) {
	const folder = "../../config/argocd"
	want, err := render(folder)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(folder + "/argocd-cm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("config/argocd/argocd-cm.yaml is not up to date: run 'make generate'")
	}
}
