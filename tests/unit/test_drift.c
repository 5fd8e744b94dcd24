/* test_drift.c - what the API server does to an object is no drift; what people do to it is. */
#include "tests/unit/unit.h"

#include "operator/drift.h"

struct drift_case {
	const char *what, *want, *live;
	const char *path; /* of the difference; NULL: covered */
};

static const struct drift_case cases[] = {
	{"defaults are added", "{'spec':{'type':'ClusterIP'}}",
	 "{'spec':{'type':'ClusterIP','sessionAffinity':'None'}}", NULL},
	{"status and metadata are added", "{'metadata':{'name':'a'}}",
	 "{'metadata':{'name':'a','uid':'u'},'status':{}}", NULL},
	{"list items do not say their kind",
	 "{'kind':'ConfigMap','apiVersion':'v1','data':{'a':'b'}}", "{'data':{'a':'b'}}", NULL},
	{"memory in another spelling", "{'requests':{'memory':'1024Mi'}}",
	 "{'requests':{'memory':'1Gi'}}", NULL},
	{"cpu in another spelling", "{'limits':{'cpu':'0.5'}}", "{'limits':{'cpu':'500m'}}", NULL},
	{"cpu as a number", "{'limits':{'cpu':2}}", "{'limits':{'cpu':'2'}}", NULL},
	{"another amount", "{'limits':{'cpu':'1'}}", "{'limits':{'cpu':'500m'}}", "limits.cpu"},
	{"a quantity elsewhere is a text", "{'data':{'x':'1024Mi'}}", "{'data':{'x':'1Gi'}}",
	 "data.x"},
	{"sizeLimit", "{'emptyDir':{'sizeLimit':'1024Mi'}}", "{'emptyDir':{'sizeLimit':'1Gi'}}",
	 NULL},
	{"zero is left out", "{'initialDelaySeconds':0}", "{}", NULL},
	{"empty text is left out", "{'value':''}", "{}", NULL},
	{"empty object is left out", "{'nodeSelector':{}}", "{}", NULL},
	{"false is not left out", "{'automountServiceAccountToken':false}", "{}",
	 "automountServiceAccountToken"},
	{"zero differs from one", "{'maxSurge':0}", "{'maxSurge':1}", "maxSurge"},
	{"percent is not a number", "{'maxUnavailable':'25%'}", "{'maxUnavailable':25}",
	 "maxUnavailable"},
	{"an empty file is a file", "{'data':{'a':''}}", "{'data':{}}", "data.a"},
	{"containers by name, any order", "{'containers':[{'name':'a','image':'x'}]}",
	 "{'containers':[{'name':'sidecar'},{'name':'a','image':'x','terminationMessagePath':'/dev'}]}",
	 NULL},
	{"container gone", "{'containers':[{'name':'a'}]}", "{'containers':[{'name':'b'}]}",
	 "containers.0"},
	{"image edited", "{'containers':[{'name':'a','image':'x'}]}",
	 "{'containers':[{'name':'a','image':'y'}]}", "containers.0.image"},
	{"env by name", "{'env':[{'name':'A','value':'1'}]}",
	 "{'env':[{'name':'B'},{'name':'A','value':'1'}]}", NULL},
	{"field refs get a version",
	 "{'env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'f'}}}]}",
	 "{'env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'f','apiVersion':'v1'}}}]}",
	 NULL},
	{"service ports by port", "{'ports':[{'port':8080,'targetPort':8080}]}",
	 "{'ports':[{'port':8080,'targetPort':8080,'nodePort':31234,'protocol':'TCP'}]}", NULL},
	{"port edited", "{'ports':[{'port':8080,'targetPort':8080}]}",
	 "{'ports':[{'port':8080,'targetPort':9090}]}", "ports.0.targetPort"},
	{"container ports by their number", "{'ports':[{'containerPort':8080}]}",
	 "{'ports':[{'containerPort':8080,'protocol':'TCP'}]}", NULL},
	{"commands are exact", "{'command':['a','b']}", "{'command':['a','b','c']}", "command"},
	{"commands have an order", "{'command':['a','b']}", "{'command':['b','a']}", "command.0"},
	{"a second owner is fine", "{'ownerReferences':[{'uid':'1','controller':true}]}",
	 "{'ownerReferences':[{'uid':'2'},{'uid':'1','controller':true}]}", NULL},
	{"owner taken away", "{'ownerReferences':[{'uid':'1'}]}", "{}", "ownerReferences"},
	{"label taken away", "{'labels':{'a':'1'}}", "{'labels':{'b':'1'}}", "labels.a"},
	{"other labels are fine", "{'labels':{'a':'1'}}", "{'labels':{'a':'1','b':'1'}}", NULL},
	{"whole numbers in both forms", "{'weight':1}", "{'weight':1.0}", NULL},
	{"affinity terms get defaults", "{'terms':[{'key':'a'}]}",
	 "{'terms':[{'key':'a','mode':'x'}]}", NULL},
	{"another type", "{'spec':{'a':{'b':1}}}", "{'spec':{'a':'b'}}", "spec.a"},
};

static json_t *read_json(const char *text)
{
	autofree char *copy = xstrdup(text);
	json_t *v;

	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	v = json_loads(copy, 0, NULL);
	assert_non_null(v);
	return v;
}

static void normalisations_are_no_drift_and_edits_are(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct drift_case *c = &cases[i];
		json_t *want = read_json(c->want), *live = read_json(c->live);
		char path[64];
		bool same = drift_covers(want, live, path, sizeof(path));

		if (same != !c->path || strcmp(path, c->path ? c->path : "") != 0)
			fail_msg("%s: %s at \"%s\"", c->what, same ? "covered" : "differs", path);
		json_decref(want);
		json_decref(live);
	}
}

static void what_others_add_does_not_change_the_restriction(void **state UNUSED)
{
	json_t *want = read_json(
		"{'kind':'X','spec':{'a':1,'containers':[{'name':'c','image':'i'}]}}");
	json_t *one = read_json(
		"{'kind':'X','spec':{'a':2,'z':1,'containers':[{'name':'c','image':'j','x':1}]}}");
	json_t *two = read_json(
		"{'spec':{'a':2,'containers':[{'name':'other'},{'name':'c','image':'j'}]},'status':{}}");
	json_t *a = drift_restrict(want, one), *b = drift_restrict(want, two);

	assert_true(json_equal(a, b));
	json_decref(want);
	json_decref(one);
	json_decref(two);
	json_decref(a);
	json_decref(b);
}

static void foreign_keys_of_our_config_map_are_nulled(void **state UNUSED)
{
	json_t *want = read_json("{'kind':'ConfigMap','data':{'a':'1'}}");
	json_t *live = read_json("{'data':{'a':'1','b':'2'},'binaryData':{'c':'AA=='}}");
	json_t *expected = read_json("{'data':{'b':null},'binaryData':{'c':null}}");
	json_t *patch = drift_foreign(want, live);

	assert_true(json_equal(patch, expected));
	assert_null(drift_foreign(want, want));
	json_object_set_new(want, "kind", json_string("Service"));
	assert_null(drift_foreign(want, live));
	json_decref(want);
	json_decref(live);
	json_decref(expected);
	json_decref(patch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalisations_are_no_drift_and_edits_are),
		cmocka_unit_test(what_others_add_does_not_change_the_restriction),
		cmocka_unit_test(foreign_keys_of_our_config_map_are_nulled),
	};

	return RUN(tests);
}
