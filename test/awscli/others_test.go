//go:build awscli

package awscli

import (
	"strings"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

func parameters(s *shell) {
	s.want("1", "ssm put-parameter --name /web/image --value ami-1 --type String --query Version")
	s.want("2", "ssm put-parameter --name /web/image --value ami-2 --type String --overwrite --query Version")
	s.fails("ParameterAlreadyExists", "PutParameter", "The parameter already exists.", "ssm put-parameter --name /web/image --value ami-3 --type String")
	s.want("ami-2 2", "ssm get-parameter --name /web/image --query Parameter.[Value,Version]")
	s.want("1", "ssm label-parameter-version --name /web/image --parameter-version 1 --labels stable --query ParameterVersion")
	s.want("ami-1 :stable", "ssm get-parameter --name /web/image:stable --query Parameter.[Value,Selector]")
	s.want("", "ssm delete-parameter --name /web/image")
	s.fails("ParameterNotFound", "GetParameter", "Parameter /web/image not found.", "ssm get-parameter --name /web/image")
}

func alarms(s *shell) {
	s.want("", "cloudwatch put-metric-alarm --alarm-name errors --namespace AWS/ApplicationELB --metric-name HTTPCode_Target_5XX_Count "+
		"--statistic Sum --period 60 --evaluation-periods 1 --threshold 1.5 --comparison-operator GreaterThanThreshold")
	s.want("", "cloudwatch wait alarm-exists --alarm-names errors")
	const show = "cloudwatch describe-alarms --alarm-names errors --query MetricAlarms[].[StateValue,Threshold]"
	s.want("INSUFFICIENT_DATA 1.5", show)
	s.want("", "cloudwatch set-alarm-state --alarm-name errors --state-value ALARM --state-reason test")
	s.want("ALARM 1.5", show)
	s.want("", "cloudwatch delete-alarms --alarm-names errors")
	s.want("", show)
	s.fails("ResourceNotFound", "SetAlarmState", "", "cloudwatch set-alarm-state --alarm-name errors --state-value OK --state-reason test")
	s.want("", show)

	// Alarms of alarms are not simulated: none can be made, and who waits for one sees none.
	s.fails("InvalidAction", "PutCompositeAlarm", "PutCompositeAlarm", "cloudwatch put-composite-alarm --alarm-name all --alarm-rule ALARM(errors)")
	if _, bad, code := s.run("cloudwatch wait composite-alarm-exists --alarm-names all --alarm-types CompositeAlarm"); code != 255 ||
		!strings.Contains(bad, "Waiter CompositeAlarmExists failed: Max attempts exceeded") {
		s.t.Errorf("a wait for an alarm of alarms: exit code %d and %q", code, bad)
	}
}

func queues(s *shell) {
	url := s.text("sqs create-queue --queue-name events --attributes VisibilityTimeout=60 --query QueueUrl")
	s.want(url, "sqs get-queue-url --queue-name events --query QueueUrl")
	if err := s.cloud.SendEvents("events"); err != nil {
		s.t.Fatal(err)
	}
	id := s.launch("1", "")
	s.want("", "ec2 wait instance-running --instance-ids %s", id)
	const receive = "sqs receive-message --queue-url %s --max-number-of-messages 10 --wait-time-seconds 5 --query Messages[].[MessageId,ReceiptHandle]"
	got := strings.Fields(s.text(receive, url))
	if len(got) != 4 {
		s.t.Fatalf("received %v, want the events of pending and running", got)
	}
	s.want("", "sqs delete-message --queue-url %s --receipt-handle %s", url, got[1])

	// What was received and not deleted comes again after its visibility timeout, what was deleted does not.
	s.clock.Advance(time.Minute)
	again := strings.Fields(s.text(receive, url))
	if len(again) != 2 || again[0] != got[2] {
		s.t.Fatalf("received %v after one of %v was deleted", again, got)
	}
	s.want("a", "sqs delete-message-batch --queue-url %s --entries Id=a,ReceiptHandle=%s --query Successful[].Id", url, again[1])
	s.clock.Advance(time.Minute)
	s.want("None", receive, url)
	s.fails("AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl", "The specified queue does not exist.", "sqs get-queue-url --queue-name none")
}

func identity(s *shell) {
	s.want(account, "sts get-caller-identity --query Account")
	role := "arn:aws:iam::" + account + ":role/deployer"
	s.cloud.SeedRole(localaws.Role{ARN: role, ExternalID: "secret-id"})
	s.fails("AccessDenied", "AssumeRole", "User: arn:aws:iam::"+account+":root is not authorized to perform: sts:AssumeRole on resource: "+role,
		"sts assume-role --role-arn %s --role-session-name me", role)
	keys := strings.Fields(s.text("sts assume-role --role-arn %s --role-session-name me --external-id secret-id "+
		"--query Credentials.[AccessKeyId,SecretAccessKey,SessionToken]", role))
	s.env = append(s.env, "AWS_ACCESS_KEY_ID="+keys[0], "AWS_SECRET_ACCESS_KEY="+keys[1], "AWS_SESSION_TOKEN="+keys[2])
	s.want("arn:aws:sts::"+account+":assumed-role/deployer/me", "sts get-caller-identity --query Arn")
}
