package v1alpha1

// The types of this file make up a revision. No field here has a default in the CRD: what a person wrote is what is
// stored, compared and hashed.

// ImageID is the id of an Amazon Machine Image.
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^ami-[0-9a-f]{8}([0-9a-f]{9})?$')",message="an image id is ami- and 8 or 17 hexadecimal digits, as in ami-0123456789abcdef0: to find an image by its name use image.selector, by an SSM parameter image.ssmParameter"
type ImageID string

// SubnetID is the id of a VPC subnet.
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^subnet-[0-9a-z]+$')",message="a subnet id has the form subnet-0a1b2c3d4e5f60718: give the id, not the name"
type SubnetID string

// SecurityGroupID is the id of a VPC security group.
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^sg-[0-9a-z]+$')",message="a security group id has the form sg-0a1b2c3d4e5f60718: give the id, not the name"
type SecurityGroupID string

// InstanceType is the name of an EC2 instance type.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]+[.][a-z0-9-]+$')",message="an instance type has a family and a size, as in c7g.large"
type InstanceType string

// TagValue is the value of an EC2 tag; EC2 allows 256 characters.
// +kubebuilder:validation:MaxLength=256
type TagValue string

// ImageOwner is who owns an image: self, amazon, aws-marketplace or a 12-digit account id.
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^(self|amazon|aws-marketplace|[0-9]{12})$`
type ImageOwner string

// ImageSource names a machine image in one of three ways.
// +kubebuilder:validation:XValidation:rule="[has(self.id), has(self.ssmParameter), has(self.selector)].exists_one(x, x)",message="image needs exactly one of id, ssmParameter and selector: remove the others, or add one"
type ImageSource struct {
	// id is the image itself. Example: ami-0123456789abcdef0
	// +optional
	ID ImageID `json:"id,omitempty"`

	// ssmParameter is the name of a Systems Manager parameter that holds an image id. It is read once, when a
	// revision is made; a later change of the parameter starts no deploy. Example: /images/web
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1011
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_./:-]+$`
	// +optional
	SSMParameter string `json:"ssmParameter,omitempty"`

	// selector finds the newest available image that matches. It is used once, when a revision is made; an image
	// that appears later starts no deploy. Example: {owners: [self], name: "web-*"}
	// +optional
	Selector *ImageSelector `json:"selector,omitempty"`
}

// ImageSelector finds the newest available image with the given owners, name and tags.
// +kubebuilder:validation:XValidation:rule="has(self.owners) && self.owners.size() > 0",message="selector needs owners, or anybody's public image of that name would match: add owners: [self], or the account ids of whoever builds your images"
type ImageSelector struct {
	// owners are who may own the image: self, amazon, aws-marketplace or 12-digit account ids, at most 10. At least
	// one is needed, or anybody's public image of that name would match. Example: [self]
	// +kubebuilder:validation:MaxItems=10
	// +listType=set
	// +optional
	Owners []ImageOwner `json:"owners,omitempty"`

	// name is a pattern that the image's name matches; * and ? are wildcards. Default: any name. Example: "web-*"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Name string `json:"name,omitempty"`

	// tags are tags that the image has, all of them, at most 10. Default: any tags. Example: {channel: release}
	// +kubebuilder:validation:MaxProperties=10
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 128)",message="the key of an EC2 tag has 1 to 128 characters: shorten it"
	// +optional
	Tags map[string]TagValue `json:"tags,omitempty"`
}

// ServerTemplate is what a server is made of, apart from its image and version.
type ServerTemplate struct {
	// instanceTypes are the EC2 instance types to launch, in order of preference, 1 to 10: the next one is tried
	// where EC2 has no capacity for the one before. Example: [c7g.large, c6g.large]
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +required
	InstanceTypes []InstanceType `json:"instanceTypes,omitempty"`

	// subnetIDs are the subnets to launch into, 1 to 16; servers are spread over them evenly. All belong to one VPC,
	// that of the load balancers. Example: [subnet-0a1b2c3d4e5f60718, subnet-1a1b2c3d4e5f60718]
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	// +required
	SubnetIDs []SubnetID `json:"subnetIDs,omitempty"`

	// securityGroupIDs are the security groups of each server, at most 16. Default: the VPC's default group.
	// Example: [sg-0a1b2c3d4e5f60718]
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	// +optional
	SecurityGroupIDs []SecurityGroupID `json:"securityGroupIDs,omitempty"`

	// iamInstanceProfile is the name, not the ARN, of the IAM instance profile of each server. Default: none.
	// Example: web
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_+=,.@-]+$`
	// +optional
	IAMInstanceProfile string `json:"iamInstanceProfile,omitempty"`

	// keyName is the name of the EC2 key pair for SSH. Default: none. Example: ops
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	KeyName string `json:"keyName,omitempty"`

	// userData is what a server runs when it first boots; where configuration management is bootstrapped. Default:
	// none. Example: {inline: "#!/bin/sh\nchef-client -j /etc/chef/${SLIPWAY_VERSION}.json\n"}
	// +optional
	UserData *UserData `json:"userData,omitempty"`

	// metadataOptions say how a server may reach the EC2 instance metadata service.
	// +optional
	MetadataOptions MetadataOptions `json:"metadataOptions,omitzero"`

	// blockDeviceMappings are the volumes of each server, at most 16, added to or replacing those of the image.
	// Default: the image's own. Example: [{deviceName: /dev/xvda, ebs: {volumeSizeGiB: 20, volumeType: gp3}}]
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=deviceName
	// +optional
	BlockDeviceMappings []BlockDeviceMapping `json:"blockDeviceMappings,omitempty"`

	// tags are put on each server and its volumes beside Slipway's own, at most 40. Keys that start with aws: or
	// slipway.dev/ are not for you to set; Name replaces the name that Slipway gives. Default: none.
	// Example: {team: shop, cost-centre: "4711"}
	// +kubebuilder:validation:MaxProperties=40
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 128)",message="the key of an EC2 tag has 1 to 128 characters: shorten it"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('^([aA][wW][sS]:|slipway[.]dev/)'))",message="tag keys that start with aws: belong to AWS, those that start with slipway.dev/ to Slipway: choose another key"
	// +optional
	Tags map[string]TagValue `json:"tags,omitempty"`
}

// UserData is given in the object or in a Secret or ConfigMap of the same namespace. ${SLIPWAY_VERSION},
// ${SLIPWAY_RELEASE} (namespace/name) and ${SLIPWAY_REVISION} are replaced in it, and nothing else.
// +kubebuilder:validation:XValidation:rule="[has(self.inline), has(self.secretRef), has(self.configMapRef)].exists_one(x, x)",message="userData needs exactly one of inline, secretRef and configMapRef: remove the others, or leave userData out"
type UserData struct {
	// inline is the text itself, at most 16384 bytes, which is EC2's limit. It is stored readable by everybody who
	// may read this object: put secrets elsewhere. Example: "#!/bin/sh\n/opt/web/start ${SLIPWAY_VERSION}\n"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 16384",message="user data has more than the 16384 bytes that EC2 takes: bake the rest into the image, or let the script fetch it"
	// +optional
	Inline string `json:"inline,omitempty"`

	// secretRef is a key of a Secret in this namespace. It is copied when a revision is made; later edits start no
	// deploy. Example: {name: web-bootstrap, key: userdata}
	// +optional
	SecretRef *KeyReference `json:"secretRef,omitempty"`

	// configMapRef is a key of a ConfigMap in this namespace. It is copied when a revision is made; later edits start
	// no deploy. Example: {name: web-bootstrap, key: userdata}
	// +optional
	ConfigMapRef *KeyReference `json:"configMapRef,omitempty"`
}

// KeyReference names one key of a Secret or ConfigMap in the Release's namespace.
type KeyReference struct {
	// name is the name of the Secret or ConfigMap. Example: web-bootstrap
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`

	// key is the key in its data. Example: userdata
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	// +required
	Key string `json:"key,omitempty"`
}

// HTTPTokens says whether the metadata service asks for a session token.
// +kubebuilder:validation:Enum=required;optional
type HTTPTokens string

const (
	// HTTPTokensRequired allows version 2 of the metadata service only.
	HTTPTokensRequired HTTPTokens = "required"
	// HTTPTokensOptional allows version 1 too.
	HTTPTokensOptional HTTPTokens = "optional"
)

// MetadataOptions say how a server may reach the EC2 instance metadata service.
type MetadataOptions struct {
	// httpTokens is required (version 2 of the service only) or optional (version 1 too). Left out, servers are
	// launched with required. Example: required
	// +optional
	HTTPTokens HTTPTokens `json:"httpTokens,omitempty"`

	// hopLimit is how many network hops an answer of the service may travel, 1 to 64. Left out, servers are launched
	// with 1, which is too few for containers behind a bridge. Example: 2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	// +optional
	HopLimit int32 `json:"hopLimit,omitempty"`
}

// BlockDeviceMapping is one volume of a server.
type BlockDeviceMapping struct {
	// deviceName is the name under which the server sees the volume; that of the image's root device changes the root
	// volume. Example: /dev/xvda
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	DeviceName string `json:"deviceName,omitempty"`

	// ebs is the volume.
	// +required
	EBS EBSVolume `json:"ebs,omitzero"`
}

// VolumeType is the type of an EBS volume.
// +kubebuilder:validation:Enum=gp3;gp2;io1;io2;st1;sc1;standard
type VolumeType string

// EBSVolume is an EBS volume that is made with the server. What is left out, EC2 takes from the image or chooses.
// +kubebuilder:validation:MinProperties=1
type EBSVolume struct {
	// volumeSizeGiB is the size in GiB, 1 to 65536. Left out: the size of the snapshot. Example: 20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65536
	// +optional
	VolumeSizeGiB int32 `json:"volumeSizeGiB,omitempty"`

	// volumeType is the type of the volume. Left out: EC2's choice. Example: gp3
	// +optional
	VolumeType VolumeType `json:"volumeType,omitempty"`

	// iops is the number of I/O operations a second to provision, for gp3, io1 and io2. Example: 3000
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=256000
	// +optional
	IOPS int32 `json:"iops,omitempty"`

	// throughput is the MiB a second to provision, for gp3. Example: 125
	// +kubebuilder:validation:Minimum=125
	// +kubebuilder:validation:Maximum=2000
	// +optional
	Throughput int32 `json:"throughput,omitempty"`

	// encrypted makes the volume encrypted. Left out: the account's setting. Example: true
	// +optional
	Encrypted *bool `json:"encrypted,omitempty"`

	// kmsKeyID is the id, alias or ARN of the KMS key to encrypt with. Left out: the account's default key.
	// Example: alias/web
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	KMSKeyID string `json:"kmsKeyID,omitempty"`

	// snapshotID is the snapshot to make the volume from. Left out: that of the image, or an empty volume.
	// Example: snap-0123456789abcdef0
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^snap-[0-9a-f]{8,17}$`
	// +optional
	SnapshotID string `json:"snapshotID,omitempty"`

	// deleteOnTermination deletes the volume with its server. Left out: the image's setting, true for a new volume.
	// Example: true
	// +optional
	DeleteOnTermination *bool `json:"deleteOnTermination,omitempty"`
}
