package rollout

// What people do to the Releases of the small world.

var allPhases = []Phase{PhaseNone, PhasePreview, PhaseLive, PhaseRolledBack, PhaseComplete}

// userEdits are the edits of the scope, as long as there may be any. Those that the API refuses are none.
func (e *expansion) userEdits(r int) {
	rel := &e.from.releases[r]
	if e.from.edits == 0 || rel.deleting || rel.gone {
		return
	}
	for _, phase := range allPhases {
		refused := rel.phase == PhaseRolledBack && phase == PhaseComplete
		if phase != rel.phase && !refused && (phase != PhaseNone || e.scope.noPhase) {
			e.edit(r, "phase "+orNone(phase), func(rel *microRelease) { rel.ask(phase) })
		}
	}
	e.editVersion(r)
	switch {
	case e.scope.pausing && rel.paused:
		e.edit(r, "paused is taken out", func(rel *microRelease) { rel.paused = false })
	case e.scope.pausing:
		e.edit(r, "paused", func(rel *microRelease) { rel.paused = true })
	}
	if e.scope.scaling {
		e.edit(r, "another number of replicas", func(rel *microRelease) { rel.replicas = e.scope.replicas + 1 - rel.replicas })
	}
	if e.scope.deleting {
		e.edit(r, "deleted", func(rel *microRelease) { rel.deleting = true })
	}
	if e.scope.retrying {
		e.edit(r, "retry", func(rel *microRelease) { rel.retry = map[string]string{"": "a", "a": "b", "b": "a"}[rel.retry] })
	}
	if e.scope.adopting && !rel.adopt {
		e.edit(r, "adopt", func(rel *microRelease) { rel.adopt = true })
	}
	e.editOverride(r)
	for _, other := range e.scope.layouts[r] {
		if other != rel.layout {
			e.edit(r, "pools "+other.words(), func(rel *microRelease) { rel.layout = other })
		}
	}
}

// editVersion declares another version: for a look, straight through, or with a phase that was meant for another one.
func (e *expansion) editVersion(r int) {
	rel := &e.from.releases[r]
	for _, version := range e.scope.versions {
		if version == rel.version {
			continue
		}
		for _, phase := range []Phase{PhasePreview, PhaseLive} {
			e.edit(r, "version "+version+" phase "+string(phase), func(rel *microRelease) {
				rel.version = version
				rel.ask(phase)
			})
		}
		if rel.phaseFor != "" && rel.phaseFor != version {
			e.edit(r, "version "+version+", phase and phaseFor stay", func(rel *microRelease) { rel.version = version })
		}
	}
}

// editOverride sets an override or takes it out.
func (e *expansion) editOverride(r int) {
	rel := &e.from.releases[r]
	if !e.scope.overriding {
		return
	}
	if rel.override.Revision != "" {
		e.edit(r, "no override", func(rel *microRelease) { rel.override = Override{} })
		return
	}
	for _, phase := range []Phase{PhaseRolledBack, PhaseLive} {
		e.edit(r, "override "+string(phase), func(rel *microRelease) {
			rel.override = Override{Revision: revisionOf(rel.version), Phase: phase, Reason: "so", By: "ops", ExpiresAt: epoch.Add(ageLong)}
		})
	}
}

// ask sets the phase, and what it is meant for as the command line does.
func (rel *microRelease) ask(phase Phase) {
	rel.phase, rel.phaseFor = phase, ""
	if forward(phase) {
		rel.phaseFor = rel.version
	}
}

func (e *expansion) edit(r int, words string, change func(*microRelease)) {
	next := e.from.clone()
	change(&next.releases[r])
	next.edits--
	e.note.Do, e.note.Release = "edit", r
	e.add(next, unfair, "somebody edits Release %s", map[int]string{0: "1", 1: "2"}[r]+": "+words)
}

// words name the pools of a layout.
func (l layout) words() string {
	text := ""
	for p, use := range l {
		if use != "" {
			text += " " + poolNames[p] + " (" + string(use) + ")"
		}
	}
	return text
}
