package localaws

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

func TestParameters(t *testing.T) {
	s := newSim(t)
	put := func(name, value string, overwrite bool) error {
		_, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: "String", Overwrite: &overwrite})
		return err
	}
	get := func(name string) (*ssm.GetParameterOutput, error) {
		return s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: &name})
	}
	want := func(name, value string, version int64, selector string) {
		t.Helper()
		out, err := get(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := out.Parameter
		if *p.Value != value || p.Version != version || aws.ToString(p.Selector) != selector || *p.Name != "/images/web" ||
			*p.ARN != "arn:aws:ssm:us-east-1:123456789012:parameter/images/web" || *p.DataType != "text" || !p.LastModifiedDate.Equal(testStart) {
			t.Errorf("%s reads %+v (%s)", name, p, *p.Value)
		}
	}
	if err := put("/images/web", "one", false); err != nil {
		t.Fatal(err)
	}
	wantError(t, put("/images/web", "two", false), 400, "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	if err := put("/images/web", "two", true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ssm.LabelParameterVersion(s.ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/images/web"), ParameterVersion: aws.Int64(1), Labels: []string{"live"}}); err != nil {
		t.Fatal(err)
	}
	want("/images/web", "two", 2, "")
	want("/images/web:1", "one", 1, ":1")
	want("/images/web:live", "one", 1, ":live")
	want("arn:aws:ssm:us-east-1:123456789012:parameter/images/web", "two", 2, "")
	want("arn:aws:ssm:us-east-1:123456789012:parameter/images/web:1", "one", 1, ":1")
	if _, err := s.ssm.LabelParameterVersion(s.ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/images/web"), Labels: []string{"live"}}); err != nil {
		t.Fatal(err)
	}
	want("/images/web:live", "two", 2, ":live")

	s.wantNoParameters(get)
}

// wantNoParameters asks for what is not there, and then deletes what is.
func (s *sim) wantNoParameters(get func(string) (*ssm.GetParameterOutput, error)) {
	t := s.t
	_, err := get("/images/web:9")
	wantError(t, err, 400, "ParameterVersionNotFound", "Systems Manager could not find version 9 of /images/web. Verify the version and try again.")
	_, err = get("arn:aws:ssm:us-east-1:210987654321:parameter/images/web")
	wantError(t, err, 400, "ParameterNotFound", "")
	if _, err := s.ssm.DeleteParameter(s.ctx, &ssm.DeleteParameterInput{Name: aws.String("/images/web")}); err != nil {
		t.Fatal(err)
	}
	_, err = get("/images/web")
	wantError(t, err, 400, "ParameterNotFound", "Parameter /images/web not found.")
	_, err = s.ssm.DeleteParameter(s.ctx, &ssm.DeleteParameterInput{Name: aws.String("/images/web")})
	wantError(t, err, 400, "ParameterNotFound", "")
}

// AWS's own parameters are of no account: they are written by nobody, and read under an ARN that has none.
func TestPublicParametersBelongToNoAccount(t *testing.T) {
	s := newSim(t)
	const name, arn = "/aws/service/eks/image_id", "arn:aws:ssm:us-east-1::parameter/aws/service/eks/image_id"
	_, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String(name), Value: aws.String("x"), Type: "String"})
	wantError(t, err, 400, "AccessDeniedException", "No access to reserved parameter name: "+name+".")
	s.SeedPublicParameter(name, "one")
	s.SeedPublicParameter(name, "two")
	for _, by := range []string{name, arn} {
		p := must(s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: &by})).Parameter
		if *p.ARN != arn || *p.Value != "two" || p.Version != 2 {
			t.Errorf("%s reads %+v (%s, %s)", by, p, *p.ARN, *p.Value)
		}
	}
	_, err = s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("arn:aws:ssm:us-east-1:123456789012:parameter" + name)})
	wantError(t, err, 400, "ParameterNotFound", "")
}

func TestParametersThatAreRefused(t *testing.T) {
	s := newSim(t)
	tests := map[string]ssm.PutParameterInput{
		"name":      {Name: aws.String("/a b"), Value: aws.String("x"), Type: "String"},
		"no type":   {Name: aws.String("/a"), Value: aws.String("x")},
		"type":      {Name: aws.String("/a"), Value: aws.String("x"), Type: "Number"},
		"data type": {Name: aws.String("/a"), Value: aws.String("x"), Type: "String", DataType: aws.String("aws:rds:image")},
		"too long":  {Name: aws.String("/a"), Value: aws.String(strings.Repeat("x", 4097)), Type: "String"},
		"unread":    {Name: aws.String("/a"), Value: aws.String("x"), Type: "String", Description: aws.String("never shown")},
		"unknown":   {Name: aws.String("/a"), Value: aws.String("x"), Type: "String", Tier: "Advanced"},
	}
	for name, input := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.ssm.PutParameter(s.ctx, &input)
			wantError(t, err, 400, "ValidationException", "")
			_, err = s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/a")})
			wantError(t, err, 400, "ParameterNotFound", "")
		})
	}
}

// Overwriting gives a parameter another value, and nothing else (SDK documentation of HierarchyTypeMismatchException, for the type).
func TestOverwritingKeepsTheTypes(t *testing.T) {
	s := newSim(t)
	put := func(value string, change func(*ssm.PutParameterInput)) error {
		in := &ssm.PutParameterInput{Name: aws.String("/a"), Value: &value, Overwrite: aws.Bool(true)}
		change(in)
		_, err := s.ssm.PutParameter(s.ctx, in)
		return err
	}
	succeed(t, put("one", func(in *ssm.PutParameterInput) { in.Type = "String" }))
	succeed(t, put("two", func(*ssm.PutParameterInput) {}))
	succeed(t, put("three", func(in *ssm.PutParameterInput) { in.Type, in.DataType = "String", aws.String("text") }))
	wantError(t, put("four", func(in *ssm.PutParameterInput) { in.Type = "SecureString" }), 400, "HierarchyTypeMismatchException",
		"Parameter Store doesn't support changing a parameter type in a hierarchy: the Type of /a is String, and not SecureString")
	wantError(t, put("four", func(in *ssm.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") }), 400, "ValidationException",
		"The change of a DataType is not simulated here: that of /a is text, and not aws:ec2:image")
	if p := must(s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/a")})).Parameter; *p.Value != "three" || p.Version != 3 || p.Type != "String" {
		t.Errorf("it reads %+v (%s)", p, *p.Value)
	}
}

func TestSecureStringsAreShownOnlyOnDemand(t *testing.T) {
	s := newSim(t)
	secret := "hunter2"
	if _, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/s"), Value: &secret, Type: "SecureString"}); err != nil {
		t.Fatal(err)
	}
	for decrypt, want := range map[bool]bool{true: true, false: false} {
		out, err := s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/s"), WithDecryption: &decrypt})
		if err != nil || (*out.Parameter.Value == secret) != want {
			t.Errorf("with decryption %v it reads %v, %v", decrypt, out, err)
		}
	}
	for _, e := range s.Ledger() {
		if e.Call != nil && strings.Contains(e.Call.Params.Encode(), secret) {
			t.Errorf("the ledger tells the secret: %v", e.Call.Params)
		}
	}
}
